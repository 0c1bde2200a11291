"""Who takes part in a project, and the links that invite into it, for programs of whoever manages it.

The rules are those of the pages: the same verbs, the same gate. Whoever manages nothing is told no more than on a page.
"""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from app.access import MayAdminister, MayRead
from app.db import SessionDep
from app.forms import RowNumber
from app.idempotency import once
from app.keyset import Paging
from app.models import Invitation, Membership, User
from app.pages import shown_once
from app.people import invitations
from app.people.entrance import link_to
from app.projects import queries, service
from app.projects.queries import managed_project

router = APIRouter(tags=["people"])


class NewMember(BaseModel):
    """`email` is of somebody who has an account; others come in by an invitation."""

    model_config = ConfigDict(extra="forbid")

    email: str
    role: str = "annotator"


class ChangedRole(BaseModel):
    """`annotator` or `manager`."""

    model_config = ConfigDict(extra="forbid")

    role: str


class MemberAnswer(BaseModel):
    """`disabled`: their account is shut out everywhere."""

    user: int
    email: str | None
    name: str
    role: str
    since: datetime
    disabled: bool


class NewInvitation(BaseModel):
    """`note` is for whom the link is, which only the list of links tells."""

    model_config = ConfigDict(extra="forbid")

    role: str = "annotator"
    days: int = invitations.USUAL_DAYS
    note: str = ""


class InvitationAnswer(BaseModel):
    id: int
    role: str
    note: str
    invited_by: str
    created_at: datetime
    expires_at: datetime


class MadeInvitation(InvitationAnswer):
    """`link` works once and is told this once."""

    link: str


def _member(user: User, membership: Membership) -> MemberAnswer:
    return MemberAnswer(
        user=user.id,
        email=user.email,
        name=user.name,
        role=membership.role,
        since=membership.created_at,
        disabled=user.disabled_at is not None,
    )


def _invitation(row: Invitation, invited_by: str) -> InvitationAnswer:
    return InvitationAnswer(
        id=row.id,
        role=row.role,
        note=row.note,
        invited_by=invited_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


@router.get("/projects/{slug}/members")
def list_members(slug: str, person: MayRead, session: SessionDep, paging: Paging) -> list[MemberAnswer]:
    """List who takes part besides the admins, who need no membership."""
    found = queries.members_page(
        session, managed_project(session, person, slug), after=paging.after, limit=paging.limit
    )
    rows = paging.cut(found, key=lambda row: row[0].id)
    return [_member(user, membership) for user, membership in rows]


@router.post("/projects/{slug}/members", status_code=201)
@once
def add_member(slug: str, new: NewMember, person: MayAdminister, session: SessionDep) -> MemberAnswer:
    """Let somebody with an account in; 404 when there is none. A manager who is added as an annotator stays one."""
    project = managed_project(session, person, slug)
    user = service.add_member(session, person, project, new.email, new.role)
    return _member(*queries.member(session, project, user.id))


@router.patch("/projects/{slug}/members/{user_id}")
def change_role(
    slug: str, user_id: RowNumber, change: ChangedRole, person: MayAdminister, session: SessionDep
) -> MemberAnswer:
    """Make a member an annotator or a manager."""
    project = managed_project(session, person, slug)
    service.change_role(session, person, project, user_id, change.role)
    return _member(*queries.member(session, project, user_id))


@router.delete("/projects/{slug}/members/{user_id}", status_code=204)
def remove_member(slug: str, user_id: RowNumber, person: MayAdminister, session: SessionDep) -> None:
    """Take somebody out of the project. Their judgments stay, turns they have open go to others, links they made end."""
    service.remove_member(session, person, managed_project(session, person, slug), user_id)


@router.get("/projects/{slug}/invitations")
def list_invitations(slug: str, person: MayRead, session: SessionDep, paging: Paging) -> list[InvitationAnswer]:
    """List the links that still work, without what opens them: that was told once."""
    pending = invitations.pending(session, managed_project(session, person, slug))
    found = sorted((row for row in pending if row[0].id > (paging.after or 0)), key=lambda row: row[0].id)
    rows = paging.cut(found, key=lambda row: row[0].id)
    return [_invitation(row, invited_by) for row, invited_by in rows]


@router.post("/projects/{slug}/invitations", status_code=201)
@once
def make_invitation(
    slug: str, new: NewInvitation, person: MayAdminister, session: SessionDep, request: Request, response: Response
) -> MadeInvitation:
    """Make a link by which one person makes an account and joins the project."""
    project = managed_project(session, person, slug)
    secret = invitations.invite(session, person, project, role=new.role, days=new.days, note=new.note)
    told = invitations.look(session, secret)
    shown_once(response)
    answer = _invitation(told.invitation, told.invited_by)
    return MadeInvitation(**answer.model_dump(), link=link_to(request, secret))


@router.delete("/projects/{slug}/invitations/{invitation_id}", status_code=204)
def revoke_invitation(slug: str, invitation_id: RowNumber, person: MayAdminister, session: SessionDep) -> None:
    """End a link before its time; 404 for one that was used or has expired."""
    invitations.revoke(session, person, managed_project(session, person, slug), invitation_id)
