"""Pages: one's own account, with its password, and one's own tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from app.access import COOKIE, Person, SignedIn, scopes_of
from app.db import SessionDep
from app.errors import BadInput, Mistake, TooManyTries
from app.forms import RowNumber
from app.language import gettext as _
from app.models import ApiToken, User
from app.pages import Page, go_to, render
from app.people import attempts, queries, service
from app.people.service import Entered
from app.people.views import client_of, let_in, refused, shown_once
from app.settings import get_settings

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class AccountPage(Page):
    user: User
    projects: Sequence[tuple[str, str, str]]
    shortest: int = service.SHORTEST_PASSWORD
    mistake: Mistake | None = None


@dataclass(frozen=True, kw_only=True)
class TokensPage(Page):
    tokens: Sequence[ApiToken]
    scopes: Sequence[str]
    chosen: Sequence[str] = ("read",)
    name: str = ""
    days: int = 90
    rate_limit: int | None = None
    usual_rate: int = 0
    mistake: Mistake | None = None
    secret: str = ""


def account_page(session: SessionDep, person: Person, mistake: Mistake | None = None) -> AccountPage:
    user = session.get_one(User, person.id)
    return AccountPage(person=person, user=user, projects=queries.memberships(session, user.id), mistake=mistake)


@router.get("/account")
def account(request: Request, session: SessionDep, person: SignedIn) -> Response:
    return render(request, "people/account.html", account_page(session, person))


@router.post("/account/password")
def change_password(
    request: Request,
    session: SessionDep,
    person: SignedIn,
    current: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    cookie = request.cookies.get(COOKIE, "")
    try:
        user = service.change_password(session, person, current, password, client=client_of(request), cookie=cookie)
    except (BadInput, TooManyTries) as mistake:
        return refused(render(request, "people/account.html", account_page(session, person, mistake)), mistake)
    answer = go_to(request, "/account", notice=_("Your password is changed; your other browsers are signed out."))
    return let_in(answer, Entered(user, cookie, attempts.mark_of(user)))


def tokens_page(session: SessionDep, person: Person, **shown: Any) -> TokensPage:
    mine = queries.tokens(session, person.id)
    usual = get_settings().rate_limit
    return TokensPage(person=person, tokens=mine, scopes=scopes_of(person), usual_rate=usual, **shown)


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
    name: Annotated[str, Form(max_length=200)] = "",
    days: Annotated[int, Form(ge=1, le=3650)] = 90,
    rate_limit: Annotated[int | None, Form(ge=1, le=10**9)] = None,
) -> Response:
    asked = scopes or []
    try:
        refuse_beyond(scopes_of(person), asked)
        refuse_faster(person, rate_limit)
        secret = service.make_token(session, person, asked, name=name.strip(), days=days, rate_limit=rate_limit)
    except BadInput as mistake:
        typed = {"chosen": asked, "name": name, "days": days, "rate_limit": rate_limit}
        page = tokens_page(session, person, mistake=mistake, **typed)
        return render(request, "people/tokens.html", page, status=422)
    session.flush()  # the list below is read in this transaction
    return shown_once(render(request, "people/tokens.html", tokens_page(session, person, secret=secret)))


@router.post("/tokens/{token_id}/revoke")
def revoke_token(request: Request, session: SessionDep, person: SignedIn, token_id: RowNumber) -> Response:
    service.revoke_token(session, person, token_id)
    return go_to(request, "/tokens", notice=_("The token is revoked; programs that use it are shut out."))
