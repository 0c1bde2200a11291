"""`tiebreak webhook`: webhooks made, looked at, paused and sent again from a command line, by the same verbs as from a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from app import embedded
from app.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.access import Person
    from app.models import Webhook

Number = click.argument("number", type=click.IntRange(1))


@contextmanager
def acting() -> "Iterator[tuple[Session, Person]]":
    """Whoever owns this machine acts as its first admin."""
    from app.db import work_unit
    from app.people.queries import first_admin

    with embedded.connected(get_settings()), work_unit() as session:
        yield session, first_admin(session)


@contextmanager
def acting_on(number: int) -> "Iterator[tuple[Session, Person, Webhook]]":
    from app.webhooks.queries import webhook_for

    with acting() as (session, person):
        yield session, person, webhook_for(session, person, number)


@click.group()
def webhook() -> None:
    """Webhooks: programs that are told what happens."""


def asked(command: Any) -> Any:
    """The options by which one is made or changed."""
    options = (
        click.option("--event", "events", multiple=True, help="What it is told; may be repeated (docs/webhooks.md)."),
        click.option("--name", default=None, help="What it is for."),
        click.option("--at", "judgment_counts", multiple=True, type=int, help="A number of judgments to be told of."),
        click.option("--every", "judgments_every", type=int, default=None, help="Or after every so many."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value not in {None, ()}}


@webhook.command("add")
@click.argument("url")
@click.option("--project", default=None, help="The project whose events it is told; the whole place otherwise.")
@asked
def add(url: str, project: str | None, **more: Any) -> None:
    """Have URL told what happens, and print the secret that signs it. It is shown this once."""
    from app.projects.queries import project_for
    from app.webhooks.order import Order
    from app.webhooks.service import make_webhook

    with acting() as (session, person):
        of = project_for(session, person, project) if project is not None else None
        made = make_webhook(session, person, of, Order(**({"events": ()} | _given(more)), url=url))
    print(made.secret)


@webhook.command("change")
@Number
@click.option("--url", default=None, help="Where the messages go from now on.")
@asked
def change(number: int, **more: Any) -> None:
    """Change webhook NUMBER; what is left out stays as it is."""
    from app.webhooks.service import change_webhook

    with acting_on(number) as (session, person, hook):
        change_webhook(session, person, hook, **_given(more))
    print(f"webhook {number} is changed")


@webhook.command("list")
def list_command() -> None:
    """A line for each: its number, state, project, address, what it tells, what waits and what was given up, with tabs."""
    from app.webhooks.queries import webhooks_page

    with acting() as (session, person):
        shown = webhooks_page(session, person, after=None, limit=10_000)
    print("number\tstate\tproject\taddress\tevents\twaiting\tgiven up")
    for one in shown:
        hook = one.webhook
        print(
            hook.id,
            hook.state,
            one.project or "-",
            hook.url,
            ",".join(hook.events),
            one.waiting,
            one.given_up,
            sep="\t",
        )


@webhook.command("deliveries")
@Number
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many, newest first.")
def deliveries(number: int, limit: int) -> None:
    """A line for each thing that webhook NUMBER was told: number, time, event, state, attempts, answer, error, with tabs."""
    from app.webhooks.queries import deliveries_page
    from app.webhooks.words import error_words

    with acting_on(number) as (session, _person, hook):
        rows = deliveries_page(session, hook, after=None, limit=limit)[:limit]
    print("number\thappened\tevent\tstate\tattempts\tanswer\terror")
    for row in rows:
        when = row.happened_at.isoformat(timespec="seconds")
        print(
            row.id, when, row.event, row.state, row.attempts, row.status_code or "-", error_words(row) or "-", sep="\t"
        )


@webhook.command("pause")
@Number
@click.option("--undo", is_flag=True, help="Activate it again; what waited is sent.")
def pause(number: int, *, undo: bool) -> None:
    """Send nothing to webhook NUMBER for now; what happens waits."""
    from app.webhooks import service

    with acting_on(number) as (session, person, hook):
        (service.activate if undo else service.pause)(session, person, hook)
    print(f"webhook {number} is {'active' if undo else 'paused'}")


@webhook.command("secret")
@Number
@click.option("--old-hours", type=click.IntRange(0, 168), default=24, show_default=True, help="The old one signs too.")
def secret(number: int, old_hours: int) -> None:
    """Give webhook NUMBER another secret, and print it. It is shown this once."""
    from app.webhooks.service import rotate_secret

    with acting_on(number) as (session, person, hook):
        fresh = rotate_secret(session, person, hook, old_hours=old_hours)
    print(fresh)


@webhook.command("test")
@Number
def test(number: int) -> None:
    """Send a test to webhook NUMBER; its deliveries say within seconds what became of it."""
    from app.webhooks.service import send_test

    with acting_on(number) as (session, person, hook):
        delivery_id = send_test(session, person, hook).id
    print(f"delivery {delivery_id} is on its way; see `tiebreak webhook deliveries {number}`")


@webhook.command("send")
@Number
@click.argument("delivery", type=click.IntRange(1), required=False)
def send(number: int, delivery: int | None) -> None:
    """Send DELIVERY of webhook NUMBER again, or, without one, all that were given up."""
    from app.webhooks import service
    from app.webhooks.queries import delivery_of

    with acting_on(number) as (session, person, hook):
        if delivery is None:
            count = service.send_given_up(session, person, hook)
        else:
            service.send_again(session, person, hook, delivery_of(session, hook, delivery))
            count = 1
    print(f"{count} to be sent again")


@webhook.command("delete")
@Number
def delete(number: int) -> None:
    """Delete webhook NUMBER with its deliveries."""
    from app.webhooks.service import delete_webhook

    with acting_on(number) as (session, person, hook):
        delete_webhook(session, person, hook)
    print(f"webhook {number} is deleted")
