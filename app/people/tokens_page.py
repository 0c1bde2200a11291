"""Pages: one's own tokens, and the form that makes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from app.access import Person, SignedIn, scopes_of
from app.db import SessionDep
from app.errors import BadInput, Mistake
from app.forms import RowNumber
from app.language import gettext as _
from app.pages import Page, address_of_site, go_to, render, shown_once
from app.people import queries, service
from app.settings import get_settings

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class TokensPage(Page):
    tokens: Sequence[queries.Shown]
    scopes: Sequence[str]
    projects: Sequence[queries.Choice]
    chosen: Sequence[str] = ("read",)
    bound_to: Sequence[str] = ()
    name: str = ""
    days: int = 90
    rate_limit: int | None = None
    usual_rate: int = 0
    mistake: Mistake | None = None
    secret: str = ""
    address: str = ""


def tokens_page(session: SessionDep, person: Person, **shown: Any) -> TokensPage:
    mine = queries.tokens(session, person.id)
    theirs = queries.bounds_for(session, person)
    usual = get_settings().rate_limit
    return TokensPage(person=person, tokens=mine, scopes=scopes_of(person), projects=theirs, usual_rate=usual, **shown)


def refuse_beyond(allowed: Sequence[str], asked: Sequence[str]) -> None:
    beyond = sorted(set(asked) - set(allowed))
    if beyond:
        raise BadInput(_("These scopes are not yours to give: %(names)s.", names=", ".join(beyond)), field="scopes")


def refuse_faster(person: Person, rate_limit: int | None) -> None:
    """Anybody may slow a token of theirs down; the usual limit is there to be kept."""
    usual = get_settings().rate_limit
    if rate_limit is not None and 0 < usual < rate_limit and not person.is_admin:
        raise BadInput(_("at most %(n)s requests a minute; ask an admin for more", n=usual), field="rate_limit")


@router.get("/tokens")
def tokens(request: Request, session: SessionDep, person: SignedIn) -> Response:
    return render(request, "people/tokens.html", tokens_page(session, person))


@router.post("/tokens")
def make_token(
    request: Request,
    session: SessionDep,
    person: SignedIn,
    scopes: Annotated[list[str] | None, Form()] = None,
    projects: Annotated[list[str] | None, Form()] = None,
    name: Annotated[str, Form(max_length=200)] = "",
    days: Annotated[int, Form(ge=1, le=service.MOST_TOKEN_DAYS)] = 90,
    rate_limit: Annotated[int | None, Form(ge=1, le=10**9)] = None,
) -> Response:
    asked, bounds = scopes or [], projects or []
    typed: dict[str, Any] = {"name": name, "days": days, "rate_limit": rate_limit}
    try:
        refuse_beyond(scopes_of(person), asked)
        refuse_faster(person, rate_limit)
        secret = service.make_token(session, person, asked, projects=bounds, **typed)
    except BadInput as mistake:
        page = tokens_page(session, person, mistake=mistake, chosen=asked, bound_to=bounds, **typed)
        return render(request, "people/tokens.html", page, status=422)
    session.flush()  # the list below is read in this transaction
    page = tokens_page(session, person, secret=secret, address=address_of_site(request))
    return shown_once(render(request, "people/tokens.html", page))


@router.post("/tokens/{token_id}/revoke")
def revoke_token(request: Request, session: SessionDep, person: SignedIn, token_id: RowNumber) -> Response:
    service.revoke_token(session, person, token_id)
    return go_to(request, "/tokens", notice=_("The token is revoked; programs that use it are shut out."))
