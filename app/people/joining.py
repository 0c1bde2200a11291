"""Pages: the link by which somebody comes in, with an account of their own making or one that they have."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from app.access import COOKIE, Person, person_of_cookie
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake, NotSignedIn, TooManyTries
from app.language import gettext as _
from app.pages import Page, go_to, render, shown_once
from app.people import invitations, service
from app.people.entrance import KNOWN_COOKIE, client_of, let_in, refused
from app.people.invitations import Open
from app.people.service import Entered

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class JoinPage(Page):
    """`way` is the form that was sent and refused: "new" or "sign_in"."""

    secret: str
    found: Open
    shortest: int = service.SHORTEST_PASSWORD
    way: str = ""
    email: str = ""
    name: str = ""
    mistake: Mistake | None = None


@router.get("/join/{secret}")
def join(request: Request, session: SessionDep, secret: str) -> Response:
    person = person_of_cookie(session, request.cookies.get(COOKIE, ""))
    page = JoinPage(person=person, secret=secret, found=invitations.look(session, secret))
    return shown_once(render(request, "people/join.html", page))


@router.post("/join/{secret}")
def accept(
    request: Request,
    session: SessionDep,
    secret: str,
    way: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """`way` is "new" (an account is made), "sign_in" (there is one) or "me" (it is signed in already)."""
    person = person_of_cookie(session, request.cookies.get(COOKIE, ""))
    found = invitations.look(session, secret)
    try:
        entered = _accepted(request, session, person, secret, way, email, name, password)
    except (BadInput, Conflict, NotSignedIn, TooManyTries) as mistake:
        page = JoinPage(person=person, secret=secret, found=found, way=way, email=email, name=name, mistake=mistake)
        answer = refused(render(request, "people/join.html", page), mistake)
        return shown_once(answer)
    place = f"/projects/{found.project.slug}" if found.project else "/people"
    answer = go_to(request, place, notice=_("Welcome. You are in."))
    return let_in(answer, entered) if entered else answer


def _accepted(
    request: Request,
    session: SessionDep,
    person: Person | None,
    secret: str,
    way: str,
    email: str,
    name: str,
    password: str,
) -> Entered | None:
    """None for somebody who was signed in already."""
    if way == "me" and person is not None:
        invitations.accept_as(session, secret, person.id)
        return None
    if way == "sign_in":
        mark = request.cookies.get(KNOWN_COOKIE, "")
        entered = service.sign_in(session, email, password, client=client_of(request), mark=mark)
        invitations.accept_as(session, secret, entered.user.id)
        return entered
    user = invitations.accept_as_new(session, secret, email=email, name=name, password=password)
    return service.enter(session, user)
