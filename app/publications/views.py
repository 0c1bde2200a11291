"""Pages: where a version was published to, the form that publishes it, and one publication on its way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from app.access import Admin, Person
from app.db import SessionDep
from app.errors import BadInput, Mistake
from app.forms import Fields, RowNumber
from app.keyset import After, Limit, cut
from app.language import gettext as _
from app.pages import Page, go_to, is_fragment_wanted, render
from app.publications import service
from app.publications.content import Subject
from app.publications.places import HubPlace, HubSecret, Place, S3Place, S3Secret, Secret
from app.publications.queries import Seen, publication_by_id, publications_page, seen, subject_by_id
from app.settings import get_settings

router = APIRouter()
Kind = Literal["checkpoints", "datasets"]
_SECRET = ("token", "access_key_id", "secret_access_key", "session_token")


@dataclass(frozen=True, kw_only=True)
class PublicationsPage(Page):
    """`typed` is what stays in a form that was refused; whatever is secret is typed again."""

    kind: Kind
    subject: Subject
    found: Sequence[Seen]
    next_after: int | None
    hubs: Sequence[str]
    s3_servers: Sequence[str]
    typed: Mapping[str, str] = field(default_factory=dict)
    mistake: Mistake | None = None


@dataclass(frozen=True, kw_only=True)
class PublicationPage(Page):
    one: Seen
    mistake: Mistake | None = None


def _page(
    session: SessionDep, person: Person, kind: Kind, row_id: int, *, after: int | None = None, limit: int = 20
) -> dict[str, Any]:
    which: dict[str, Any] = {"checkpoint": row_id} if kind == "checkpoints" else {"dataset": row_id}
    page = cut(publications_page(session, person, after=after, limit=limit, **which), limit, key=lambda one: one.row.id)
    servers = {"hubs": get_settings().hubs, "s3_servers": get_settings().s3_servers}
    subject = subject_by_id(session, person, kind, row_id)
    return {
        "person": person,
        "kind": kind,
        "subject": subject,
        "found": page.rows,
        "next_after": page.next_after,
        **servers,
    }


def _kind(request: Request) -> Kind:
    """What the address is about; its routes are two, so that no other address is taken for one of theirs."""
    return "datasets" if request.url.path.startswith("/datasets/") else "checkpoints"


@router.get("/checkpoints/{row_id}/publications")
@router.get("/datasets/{row_id}/publications")
def publications(
    row_id: RowNumber,
    request: Request,
    session: SessionDep,
    person: Admin,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    shown = PublicationsPage(**_page(session, person, _kind(request), row_id, after=after, limit=limit))
    return render(request, "publications/publications.html", shown)


@router.post("/checkpoints/{row_id}/publications")
@router.post("/datasets/{row_id}/publications")
def publish(row_id: RowNumber, request: Request, session: SessionDep, person: Admin, form: Fields) -> Response:
    kind = _kind(request)
    try:
        row = service.order(session, person, subject_by_id(session, person, kind, row_id), _place(form))
    except Mistake as mistake:
        typed = {name: value for name, value in form.items() if name not in _SECRET}
        page = PublicationsPage(**_page(session, person, kind, row_id), typed=typed, mistake=mistake)
        return render(request, "publications/publications.html", page, status=mistake.status)
    return go_to(request, f"/publications/{row.id}")


def _place(form: Mapping[str, str]) -> Place:
    given = {name: value.strip() for name, value in form.items() if value.strip()}
    try:
        if form.get("to") == "s3":
            names = ("bucket", "prefix", "region", "endpoint", "access_key_id", "secret_access_key", "session_token")
            return S3Place.model_validate({name: given[name] for name in names if name in given})
        told = {name: given[name] for name in ("repository", "hub", "tag", "token") if name in given}
        return HubPlace.model_validate(told | {"private": form.get("visibility") != "public"})
    except ValidationError as problem:
        raise _missing(problem) from None


def _missing(problem: ValidationError) -> BadInput:
    """Without the words of the library, which quote what was typed."""
    name = str(problem.errors(include_input=False)[0]["loc"][0])
    return BadInput(_("please fill this in, as it was given to you"), field=name)


@router.get("/publications/{publication_id}")
def publication(publication_id: RowNumber, request: Request, session: SessionDep, person: Admin) -> Response:
    """The page, or under htmx the part of it that moves; once it is over, the rest of the page has news too."""
    shown = PublicationPage(person=person, one=seen(session, person, publication_id))
    if not is_fragment_wanted(request):
        return render(request, "publications/publication.html", shown)
    part = render(request, "publications/_publication.html", shown)
    if shown.one.is_over:
        part.headers["HX-Refresh"] = "true"
    return part


@router.post("/publications/{publication_id}/cancel")
def cancel(publication_id: RowNumber, request: Request, session: SessionDep, person: Admin) -> Response:
    row = publication_by_id(session, person, publication_id)
    try:
        service.cancel(session, person, row)
    except Mistake as mistake:
        return go_to(request, f"/publications/{row.id}", notice=mistake.message)
    return go_to(request, f"/publications/{row.id}")


@router.post("/publications/{publication_id}/retry")
def retry(publication_id: RowNumber, request: Request, session: SessionDep, person: Admin, form: Fields) -> Response:
    row = publication_by_id(session, person, publication_id)
    try:
        service.retry(session, person, row, _secret(row.kind, form))
    except Mistake as mistake:
        page = PublicationPage(person=person, one=seen(session, person, row.id), mistake=mistake)
        return render(request, "publications/publication.html", page, status=mistake.status)
    return go_to(request, f"/publications/{row.id}")


def _secret(kind: str, form: Mapping[str, str]) -> Secret:
    given = {name: form[name].strip() for name in _SECRET if form.get(name, "").strip()}
    try:
        if kind == "hub":
            return HubSecret.model_validate({"token": given.get("token")})
        return S3Secret.model_validate({name: value for name, value in given.items() if name != "token"})
    except ValidationError as problem:
        raise _missing(problem) from None
