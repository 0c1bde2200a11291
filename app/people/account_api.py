"""One's own account, for programs: who a token acts for, and another password for them."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app.access import COOKIE, Caller, MayRead, scopes_of, unbound
from app.db import SessionDep
from app.models import User
from app.people import queries, service
from app.people.entrance import client_of

router = APIRouter(tags=["account"])
Password = Annotated[str, Field(max_length=service.LONGEST_PASSWORD)]


class AccountMembership(BaseModel):
    project: str
    name: str
    role: str


class AccountAnswer(BaseModel):
    """`scopes` are those of the request's token, or of the role for a browser; `projects` those one is a member of."""

    id: int
    email: str
    name: str
    role: str
    scopes: list[str]
    projects: list[AccountMembership]


class PasswordChange(BaseModel):
    """`current` is the present password: a token alone does not do."""

    model_config = ConfigDict(extra="forbid")

    current: Password
    password: Password


@router.get("/account")
def show_account(person: MayRead, session: SessionDep) -> AccountAnswer:
    """Show who the token acts for, and how far it reaches."""
    user = session.get_one(User, person.id)
    scopes = scopes_of(person) if person.scopes is None else [one for one in scopes_of(person) if one in person.scopes]
    theirs = queries.memberships(session, user.id, person)
    return AccountAnswer(
        id=user.id,
        email=user.email or "",
        name=user.name,
        role=user.role,
        scopes=list(scopes),
        projects=[AccountMembership(project=slug, name=name, role=role) for slug, name, role in theirs],
    )


@router.put("/account/password", status_code=204)
def change_password(given: PasswordChange, person: Caller, session: SessionDep, request: Request) -> None:
    """Change one's own password, given the current one. Browsers have to sign in again; tokens stay.

    Too many wrong passwords are answered with 429, as on the sign-in page.
    """
    cookie = "" if person.token_id is not None else request.cookies.get(COOKIE, "")
    client = client_of(request)
    service.change_password(session, unbound(person), given.current, given.password, client=client, cookie=cookie)
