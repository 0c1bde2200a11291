"""The people of this place, for programs of its admins: who there is, new accounts and passwords, and links for other admins."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from app.access import MayRunPlace
from app.db import SessionDep
from app.errors import Conflict
from app.forms import RowNumber
from app.idempotency import once
from app.keyset import Paging
from app.language import gettext as _
from app.models import Invitation, User
from app.pages import shown_once
from app.people import invitations, queries, service
from app.people.entrance import link_to

router = APIRouter(tags=["people"])


class NewPerson(BaseModel):
    """`role` is annotator or admin. Without a `password` one is made up; `project` is one that they become a member of."""

    model_config = ConfigDict(extra="forbid")

    email: str
    name: str = ""
    role: str = "annotator"
    password: str | None = None
    project: str | None = None


class PersonChanges(BaseModel):
    """`disabled`: shut out everywhere, or let in again. What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    disabled: bool | None = None


class NewPassword(BaseModel):
    """Without one, it is made up."""

    model_config = ConfigDict(extra="forbid")

    password: str | None = None


class MembershipAnswer(BaseModel):
    project: str
    role: str


class PersonAnswer(BaseModel):
    id: int
    email: str
    name: str
    role: str
    disabled: bool
    created_at: datetime
    projects: list[MembershipAnswer]


class PersonWithPassword(PersonAnswer):
    """`password` is told this once."""

    password: str


class NewAdminLink(BaseModel):
    """A link by which somebody becomes an admin; `note` is for whom."""

    model_config = ConfigDict(extra="forbid")

    days: int = invitations.USUAL_DAYS
    note: str = ""


class AdminLinkAnswer(BaseModel):
    id: int
    note: str
    invited_by: str
    created_at: datetime
    expires_at: datetime


class MadeAdminLink(AdminLinkAnswer):
    """`link` works once and is told this once."""

    link: str


def answer(user: User, projects: Sequence[tuple[str, str]]) -> PersonAnswer:
    return PersonAnswer(
        id=user.id,
        email=user.email or "",
        name=user.name,
        role=user.role,
        disabled=user.disabled_at is not None,
        created_at=user.created_at,
        projects=[MembershipAnswer(project=slug, role=role) for slug, role in projects],
    )


def _link(row: Invitation, invited_by: str) -> AdminLinkAnswer:
    return AdminLinkAnswer(
        id=row.id, note=row.note, invited_by=invited_by, created_at=row.created_at, expires_at=row.expires_at
    )


@router.get("/people")
def list_people(_: MayRunPlace, session: SessionDep, paging: Paging) -> list[PersonAnswer]:
    """List everybody who has an account, in the order in which the accounts were made."""
    found = queries.people_page(session, after=paging.after, limit=paging.limit)
    rows = paging.cut(found, key=lambda account: account.user.id)
    return [answer(one.user, one.projects) for one in rows]


@router.post("/people", status_code=201)
@once
def add_person(new: NewPerson, person: MayRunPlace, session: SessionDep, response: Response) -> PersonWithPassword:
    """Make an account; 409 when the address has one. Inviting by a link lets people choose their own password."""
    password = service.add_user(session, new.email, role=new.role, name=new.name, password=new.password, by=person.id)
    if new.project is not None:
        service.add_member(session, new.email, new.project, by=person.id)
    shown_once(response)
    account = queries.account(session, service.user_by_email(session, new.email).id)
    return PersonWithPassword(**answer(account.user, account.projects).model_dump(), password=password)


@router.get("/people/{user_id}")
def show_person(user_id: RowNumber, _: MayRunPlace, session: SessionDep) -> PersonAnswer:
    """Show somebody's account, with the projects that they are a member of."""
    account = queries.account(session, user_id)
    return answer(account.user, account.projects)


@router.patch("/people/{user_id}")
def change_person(user_id: RowNumber, changes: PersonChanges, person: MayRunPlace, session: SessionDep) -> PersonAnswer:
    """Shut an account out, or let it in again: browsers, tokens and open turns end at once, what it did stays."""
    account = queries.account(session, user_id)
    if changes.disabled and user_id == person.id:
        raise Conflict(_("you cannot disable your own account; another admin can"), field="disabled")
    if changes.disabled is not None:
        verb = service.disable if changes.disabled else service.enable
        verb(session, account.user.email or "", by=person.id)
    return answer(account.user, account.projects)


@router.post("/people/{user_id}/password", status_code=201)
@once
def set_password(
    user_id: RowNumber, new: NewPassword, person: MayRunPlace, session: SessionDep, response: Response
) -> PersonWithPassword:
    """Give somebody a new password, told this once, and sign them out everywhere."""
    account = queries.account(session, user_id)
    password = service.set_password(session, account.user.email or "", new.password, by=person.id)
    shown_once(response)
    return PersonWithPassword(**answer(account.user, account.projects).model_dump(), password=password)


@router.get("/invitations")
def list_admin_links(_: MayRunPlace, session: SessionDep, paging: Paging) -> list[AdminLinkAnswer]:
    """List the links by which admins come in and that still work, without what opens them."""
    pending = invitations.pending(session, None)
    found = sorted((row for row in pending if row[0].id > (paging.after or 0)), key=lambda row: row[0].id)
    rows = paging.cut(found, key=lambda row: row[0].id)
    return [_link(row, invited_by) for row, invited_by in rows]


@router.post("/invitations", status_code=201)
@once
def make_admin_link(
    new: NewAdminLink, person: MayRunPlace, session: SessionDep, request: Request, response: Response
) -> MadeAdminLink:
    """Make a link by which one person becomes an admin."""
    secret = invitations.invite(session, person, None, role="admin", days=new.days, note=new.note)
    told = invitations.look(session, secret)
    shown_once(response)
    return MadeAdminLink(**_link(told.invitation, told.invited_by).model_dump(), link=link_to(request, secret))


@router.delete("/invitations/{invitation_id}", status_code=204)
def revoke_admin_link(invitation_id: RowNumber, person: MayRunPlace, session: SessionDep) -> None:
    """End a link before its time; 404 for one that was used or has expired."""
    invitations.revoke(session, person, None, invitation_id)
