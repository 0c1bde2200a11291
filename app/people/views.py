"""Pages: signing in and out, the people of this place, and one's own tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from app.access import COOKIE, Admin, Person, SignedIn, end_session, person_of_cookie, scopes_of
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake, NotSignedIn
from app.models import ApiToken, User
from app.models.user import ROLES
from app.pages import Page, go_to, render
from app.pages import gettext as _
from app.people import queries, service
from app.settings import get_settings

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class SignInPage(Page):
    next: str
    email: str = ""
    mistake: Mistake | None = None


@dataclass(frozen=True, kw_only=True)
class PeoplePage(Page):
    people: Sequence[tuple[User, list[str]]]
    projects: Sequence[str]
    roles: Sequence[str] = ROLES
    mistake: Mistake | None = None
    email: str = ""
    name: str = ""
    role: str = "annotator"
    project: str = ""
    password: str = ""
    password_of: str = ""


@dataclass(frozen=True, kw_only=True)
class TokensPage(Page):
    tokens: Sequence[ApiToken]
    scopes: Sequence[str]
    chosen: Sequence[str] = ("read",)
    name: str = ""
    days: int = 90
    mistake: Mistake | None = None
    secret: str = ""


def own_path(path: str) -> str:
    """Where to go after signing in: only to a page of this site, whatever the address said."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if inside else "/"


@router.get("/sign-in")
def sign_in(request: Request, session: SessionDep, next: str = "/") -> Response:  # noqa: A002 -- the query's name
    if person_of_cookie(session, request.cookies.get(COOKIE, "")) is not None:
        return go_to(request, own_path(next))
    return render(request, "people/sign_in.html", SignInPage(person=None, next=own_path(next)))


@router.post("/sign-in")
def enter(
    request: Request,
    session: SessionDep,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 -- the field's name
) -> Response:
    try:
        secret = service.sign_in(session, email, password)
    except NotSignedIn as mistake:
        page = SignInPage(person=None, next=own_path(next), email=email, mistake=mistake)
        return render(request, "people/sign_in.html", page, status=422)
    answer = go_to(request, own_path(next))
    settings = get_settings()
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=settings.session_days * 86400,
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request, session: SessionDep) -> Response:
    end_session(session, request.cookies.get(COOKIE, ""))
    answer = go_to(request, "/sign-in", notice=_("You are signed out."))
    answer.delete_cookie(COOKIE)
    return answer


def people_page(session: SessionDep, person: Person, **shown: Any) -> PeoplePage:
    return PeoplePage(person=person, people=queries.people(session), projects=queries.project_slugs(session), **shown)


def shown_once(answer: Response) -> Response:
    """A page with a secret on it: no copy of it stays anywhere, not even for the back button."""
    answer.headers["cache-control"] = "no-store"
    return answer


@router.get("/people")
def people(request: Request, session: SessionDep, person: Admin) -> Response:
    return render(request, "people/people.html", people_page(session, person))


@router.post("/people")
def add_person(
    request: Request,
    session: SessionDep,
    person: Admin,
    email: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "annotator",
    project: Annotated[str, Form()] = "",
) -> Response:
    try:
        password = service.add_user(session, email, role=role, name=name)
    except (BadInput, Conflict) as mistake:
        page = people_page(session, person, mistake=mistake, email=email, name=name, role=role, project=project)
        return render(request, "people/people.html", page, status=422)
    if project:
        service.add_member(session, email, project)
    page = people_page(session, person, password=password, password_of=service.clean_email(email))
    return shown_once(render(request, "people/people.html", page))


@router.post("/people/members")
def add_member(
    request: Request,
    session: SessionDep,
    _admin: Admin,
    email: Annotated[str, Form()],
    project: Annotated[str, Form()],
) -> Response:
    service.add_member(session, email, project)
    return go_to(request, "/people", notice=_("%s is now in “%s”.") % (email, project))


@router.post("/people/passwords")
def new_password(request: Request, session: SessionDep, person: Admin, email: Annotated[str, Form()]) -> Response:
    password = service.set_password(session, email)
    page = people_page(session, person, password=password, password_of=email)
    return shown_once(render(request, "people/people.html", page))


def tokens_page(session: SessionDep, person: Person, **shown: Any) -> TokensPage:
    mine = queries.tokens(session, person.id)
    return TokensPage(person=person, tokens=mine, scopes=scopes_of(person), **shown)


def refuse_beyond(allowed: Sequence[str], asked: Sequence[str]) -> None:
    beyond = sorted(set(asked) - set(allowed))
    if beyond:
        raise BadInput(_("These scopes are not yours to give: %s.") % ", ".join(beyond), field="scopes")


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
) -> Response:
    asked = scopes or []
    try:
        refuse_beyond(scopes_of(person), asked)
        secret = service.make_token(session, person, asked, name=name.strip(), days=days)
    except BadInput as mistake:
        page = tokens_page(session, person, mistake=mistake, chosen=asked, name=name, days=days)
        return render(request, "people/tokens.html", page, status=422)
    session.flush()  # the list below is read in this transaction
    return shown_once(render(request, "people/tokens.html", tokens_page(session, person, secret=secret)))


@router.post("/tokens/{token_id}/revoke")
def revoke_token(request: Request, session: SessionDep, person: SignedIn, token_id: int) -> Response:
    service.revoke_token(session, person, token_id)
    return go_to(request, "/tokens", notice=_("The token is revoked; programs that use it are shut out."))
