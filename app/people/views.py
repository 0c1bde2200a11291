"""Pages: signing in and out, and the people of this place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from app.access import COOKIE, Admin, Person, end_session, person_of_cookie
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake, NotFound, NotSignedIn, TooManyTries
from app.forms import RowNumber
from app.language import gettext as _
from app.models import Invitation
from app.models.user import ROLES
from app.pages import Page, go_to, render, shown_once
from app.people import invitations, queries, service
from app.people.entrance import KNOWN_COOKIE, client_of, let_in, link_to, own_path, refused
from app.people.queries import Account

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class SignInPage(Page):
    next: str
    email: str = ""
    mistake: Mistake | None = None


@dataclass(frozen=True, kw_only=True)
class PeoplePage(Page):
    """`password` and `link` are shown this once, to whoever had them made."""

    people: Sequence[Account]
    projects: Sequence[str]
    pending: Sequence[tuple[Invitation, str]]
    roles: Sequence[str] = ROLES
    mistake: Mistake | None = None
    email: str = ""
    name: str = ""
    role: str = "annotator"
    project: str = ""
    password: str = ""
    password_of: str = ""
    link: str = ""


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
        mark = request.cookies.get(KNOWN_COOKIE, "")
        entered = service.sign_in(session, email, password, client=client_of(request), mark=mark)
    except (NotSignedIn, TooManyTries) as mistake:
        page = SignInPage(person=None, next=own_path(next), email=email, mistake=mistake)
        return refused(render(request, "people/sign_in.html", page), mistake)
    return let_in(go_to(request, own_path(next)), entered)


@router.post("/sign-out")
def sign_out(request: Request, session: SessionDep) -> Response:
    end_session(session, request.cookies.get(COOKIE, ""))
    answer = go_to(request, "/sign-in", notice=_("You are signed out."))
    answer.delete_cookie(COOKIE)
    return answer


def people_page(session: SessionDep, person: Person, **shown: Any) -> PeoplePage:
    return PeoplePage(
        person=person,
        people=queries.people(session),
        projects=queries.project_slugs(session),
        pending=invitations.pending(session, None),
        **shown,
    )


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
        password = service.add_user(session, email, role=role, name=name, by=person.id)
    except (BadInput, Conflict) as mistake:
        page = people_page(session, person, mistake=mistake, email=email, name=name, role=role, project=project)
        return render(request, "people/people.html", page, status=422)
    if project:
        service.add_member(session, email, project, by=person.id)
    page = people_page(session, person, password=password, password_of=service.clean_email(email))
    return shown_once(render(request, "people/people.html", page))


@router.post("/people/members")
def add_member(
    request: Request,
    session: SessionDep,
    person: Admin,
    email: Annotated[str, Form()],
    project: Annotated[str, Form()],
) -> Response:
    service.add_member(session, email, project, by=person.id)
    return go_to(request, "/people", notice=_("%(who)s is now in “%(project)s”.", who=email, project=project))


@router.post("/people/passwords")
def new_password(request: Request, session: SessionDep, person: Admin, email: Annotated[str, Form()]) -> Response:
    password = service.set_password(session, email, by=person.id)
    page = people_page(session, person, password=password, password_of=email)
    return shown_once(render(request, "people/people.html", page))


@router.post("/people/disable")
def disable(request: Request, session: SessionDep, person: Admin, email: Annotated[str, Form()] = "") -> Response:
    if service.user_by_email(session, email).id == person.id:
        raise Conflict(_("you cannot disable your own account; another admin can"), field="email")
    user = service.disable(session, email, by=person.id)
    words = _("%(who)s is shut out: signed out everywhere, tokens dead, open turns given back.", who=user.name)
    return go_to(request, "/people", notice=words)


@router.post("/people/enable")
def enable(request: Request, session: SessionDep, person: Admin, email: Annotated[str, Form()] = "") -> Response:
    user = service.enable(session, email, by=person.id)
    return go_to(request, "/people", notice=_("%(who)s may sign in again.", who=user.name))


@router.get("/people/invitations")
@router.get("/people/passwords")
def shown_before(request: Request, person: Admin) -> Response:  # noqa: ARG001 -- asks who it is
    """The addresses of what is shown once, opened again: the way back to the forms."""
    return go_to(request, "/people")


@router.post("/people/invitations")
def invite(
    request: Request,
    session: SessionDep,
    person: Admin,
    note: Annotated[str, Form()] = "",
    days: Annotated[int, Form()] = invitations.USUAL_DAYS,
) -> Response:
    try:
        secret = invitations.invite(session, person, None, role="admin", days=days, note=note)
    except BadInput as mistake:
        return render(request, "people/people.html", people_page(session, person, mistake=mistake), status=422)
    page = people_page(session, person, link=link_to(request, secret))
    return shown_once(render(request, "people/people.html", page))


@router.post("/people/invitations/{invitation_id}/revoke")
def revoke(request: Request, session: SessionDep, person: Admin, invitation_id: RowNumber) -> Response:
    try:
        invitations.revoke(session, person, None, invitation_id)
    except NotFound as mistake:
        return go_to(request, "/people", notice=mistake.message)
    return go_to(request, "/people", notice=_("The link works no more."))
