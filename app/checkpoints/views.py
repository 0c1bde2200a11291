"""Pages: the published models, and one of them: what it came from, how to take it home, and what it is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Admin, Person
from app.checkpoints import aliases, deletion
from app.checkpoints.family import Family, family
from app.checkpoints.history import deeds
from app.checkpoints.queries import (
    Lineage,
    aliases_of,
    checkpoint_by_id,
    checkpoints_page,
    lineage,
    other_versions,
)
from app.db import SessionDep
from app.deeds import Deed
from app.download_counts import downloads
from app.errors import BadInput, Conflict, Mistake, NotFound
from app.forms import Fields, RowNumber
from app.keyset import After, Limit, cut
from app.language import gettext as _
from app.models import Checkpoint
from app.models.checkpoint import LOADED_WITH
from app.pages import Page, address_of_site, go_to, render
from app.runs.results import Results, results_in_words

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class CheckpointsPage(Page):
    checkpoints: Sequence[Lineage]
    words: Mapping[int, Sequence[str]]
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class CheckpointPage(Page):
    """`address` is this site's own, for commands to copy; `python_class` is what `transformers` loads it with.

    `words` are its aliases; `offered` the usual ones that it does not have. `form` is the one that was refused.
    """

    found: Lineage
    family: Family
    words: Sequence[str]
    offered: Sequence[str]
    history: Sequence[Deed]
    needed_by: Sequence[str]
    mistake: Mistake | None = None
    form: str = ""
    alias: str = ""
    files: Sequence[Mapping[str, Any]]
    n_bytes: int
    n_downloads: int
    results: Results
    others: Sequence[Checkpoint]
    address: str
    python_class: str


@router.get("/checkpoints")
def checkpoints(
    request: Request, session: SessionDep, person: Admin, after: After = None, limit: Limit = 50
) -> Response:
    page = cut(checkpoints_page(session, person, after=after, limit=limit), limit, key=lambda row: row.checkpoint.id)
    words = aliases_of(session, [one.checkpoint for one in page.rows])
    shown = CheckpointsPage(person=person, checkpoints=page.rows, words=words, next_after=page.next_after)
    return render(request, "checkpoints/checkpoints.html", shown)


def checkpoint_page(
    request: Request, session: Session, person: Person, checkpoint_id: int, **shown: Any
) -> CheckpointPage:
    found = lineage(session, person, checkpoint_id)
    files, checkpoint = found.checkpoint.files, found.checkpoint
    is_there = checkpoint.deleted_at is None
    words = aliases_of(session, [checkpoint]).get(checkpoint.id, ())
    return CheckpointPage(
        person=person,
        found=found,
        family=family(session, person, checkpoint, found.run),
        words=words,
        offered=[word for word in aliases.USUAL if word not in words],
        history=deeds(session, checkpoint.name),
        needed_by=deletion.needed_by(session, person, checkpoint) if is_there else (),
        files=files if is_there else (),
        n_bytes=sum(file["size"] for file in files),
        n_downloads=downloads(session, checkpoint),
        results=results_in_words(checkpoint.metrics),
        others=other_versions(session, checkpoint),
        address=address_of_site(request),
        python_class=LOADED_WITH[checkpoint.kind],
        **shown,
    )


@router.get("/checkpoints/{checkpoint_id}")
def checkpoint(checkpoint_id: RowNumber, request: Request, session: SessionDep, person: Admin) -> Response:
    page = checkpoint_page(request, session, person, checkpoint_id)
    return render(request, "checkpoints/checkpoint.html", page)


@router.post("/checkpoints/{checkpoint_id}/aliases")
def move_alias(
    checkpoint_id: RowNumber, request: Request, session: SessionDep, person: Admin, form: Fields
) -> Response:
    one, alias = checkpoint_by_id(session, person, checkpoint_id), form.get("alias", "").strip()
    try:
        aliases.point(session, person, one.name, alias, one.version)
    except (BadInput, NotFound) as mistake:
        page = checkpoint_page(request, session, person, one.id, mistake=mistake, form="alias", alias=alias)
        return render(request, "checkpoints/checkpoint.html", page, status=422)
    words = _("“%(alias)s” is v%(version)s of %(name)s now.", alias=alias, version=one.version, name=one.name)
    return go_to(request, f"/checkpoints/{one.id}", notice=words)


@router.post("/checkpoints/{checkpoint_id}/aliases/remove")
def remove_alias(
    checkpoint_id: RowNumber, request: Request, session: SessionDep, person: Admin, form: Fields
) -> Response:
    one, alias = checkpoint_by_id(session, person, checkpoint_id), form.get("alias", "")
    words = _("“%(alias)s” stands for no version of %(name)s any more.", alias=alias, name=one.name)
    try:
        aliases.remove(session, person, one.name, alias)
    except NotFound as mistake:
        words = mistake.message
    return go_to(request, f"/checkpoints/{one.id}", notice=words)


@router.post("/checkpoints/{checkpoint_id}/delete")
def delete(checkpoint_id: RowNumber, request: Request, session: SessionDep, person: Admin) -> Response:
    one = checkpoint_by_id(session, person, checkpoint_id)
    try:
        deletion.delete(session, person, one)
    except (Conflict, NotFound) as mistake:
        page = checkpoint_page(request, session, person, one.id, mistake=mistake, form="delete")
        return render(request, "checkpoints/checkpoint.html", page, status=422)
    words = _("%(name)s v%(version)s is deleted; its files go within seconds.", name=one.name, version=one.version)
    return go_to(request, "/checkpoints", notice=words)
