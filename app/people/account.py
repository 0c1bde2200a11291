"""Pages: one's own account, with its password."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from app.access import COOKIE, Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Mistake, TooManyTries
from app.language import gettext as _
from app.models import User
from app.pages import Page, go_to, render
from app.people import attempts, queries, service
from app.people.entrance import client_of, let_in, refused
from app.people.service import Entered

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class AccountPage(Page):
    user: User
    projects: Sequence[tuple[str, str, str]]
    shortest: int = service.SHORTEST_PASSWORD
    mistake: Mistake | None = None


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
