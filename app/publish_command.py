"""`tiebreak publish`: a version sent to a hub or a bucket from a command line, and watched until it is there.

What opens the place is read from the usual variables (HF_TOKEN, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
AWS_SESSION_TOKEN) or asked for; it is no argument, since arguments are seen by everybody on the machine and kept by shells.
"""

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from app import embedded
from app.errors import BadInput, Mistake
from app.settings import get_settings

if TYPE_CHECKING:
    from app.publications.places import Place

LOOK_EVERY_S = 1.0


@click.command()
@click.argument("kind", type=click.Choice(["checkpoint", "dataset"]))
@click.argument("what")
@click.argument("target")
@click.option("--server", default="", help="The hub or the S3 server; the first of those allowed otherwise.")
@click.option("--public", is_flag=True, help="Let everybody see a repository that is made; it is private otherwise.")
@click.option("--tag", default="", help="What a hub calls this version; v1, v2 … otherwise.")
@click.option("--region", default="us-east-1", show_default=True, help="The bucket's.")
@click.option("--detach", is_flag=True, help="Do not wait for its end.")
def publish(kind: str, what: str, target: str, *, detach: bool, **options: Any) -> None:
    """Send a version to a place of your own.

    WHAT is a name, name@v2 or an id; TARGET is hub:owner/name or s3://bucket/folder. HF_TOKEN, or AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, open it; you are asked for what is not set. The worker `app` does the sending.
    """
    place = _place(target, options)
    with embedded.connected(get_settings()):
        publication_id = _order(kind, what, place)
        print(f"publication {publication_id}: {get_settings().address}/publications/{publication_id}")
        if not detach:
            for line in _watch(publication_id):
                print(line, flush=True)


def _place(target: str, options: dict[str, Any]) -> "Place":
    from pydantic import ValidationError

    from app.publications.places import HubPlace, S3Place

    told: dict[str, Any]
    try:
        if target.startswith("hub:"):
            told = {"repository": target.removeprefix("hub:"), "hub": options["server"], "tag": options["tag"]}
            token = _secret("HF_TOKEN", "The hub's token")
            return HubPlace.model_validate(told | {"private": not options["public"], "token": token})
        if target.startswith("s3://"):
            bucket, _, prefix = target.removeprefix("s3://").partition("/")
            told = {"bucket": bucket, "prefix": prefix, "endpoint": options["server"], "region": options["region"]}
            told["access_key_id"] = _secret("AWS_ACCESS_KEY_ID", "Access key")
            told["secret_access_key"] = _secret("AWS_SECRET_ACCESS_KEY", "Its secret")
            told["session_token"] = os.environ.get("AWS_SESSION_TOKEN") or None
            return S3Place.model_validate(told)
    except ValidationError as problem:
        first = problem.errors(include_input=False)[0]
        raise BadInput(f"{first['loc'][0]}: {first['msg']}") from None
    raise BadInput(f"{target!r} is no place to publish to: write hub:owner/name or s3://bucket/folder")


def _secret(variable: str, words: str) -> str:
    return os.environ.get(variable) or click.prompt(words, hide_input=True, err=True)


def _order(kind: str, what: str, place: "Place") -> int:
    from app.db import work_unit
    from app.people.queries import first_admin
    from app.publications import service
    from app.publications.queries import subject_named

    with work_unit() as session:
        person = first_admin(session)
        return service.order(session, person, subject_named(session, person, kind, what), place).id


def _watch(publication_id: int) -> Iterator[str]:
    """A line for each file, and one for the end. Raises Mistake where it failed."""
    from app.db import work_unit
    from app.pages import size
    from app.people.queries import first_admin
    from app.publications.queries import seen

    said = ""
    while True:
        with work_unit() as session:
            one = seen(session, first_admin(session), publication_id)
            row = one.row
        line = f"{row.state}: {row.done_files} of {one.files} files, {size(row.done_bytes)} of {size(row.n_bytes)}"
        line += f"; {row.error}" if row.error and not one.is_over else ""
        if line != said:
            yield (said := line)
        if row.state == "finished":
            yield f"it is at {row.address}"
            return
        if one.is_over:
            raise Mistake(row.error or "it was cancelled")
        time.sleep(LOOK_EVERY_S)
