"""Verbs on invitations: make a link, revoke it, let somebody in by it.

There is no other way into this place than an account that an admin made, or a link. A link works once, until it expires or is
revoked, and gives the role that it was made for. Whoever accepts it locks its row first: of two who come at once the
second one waits, and then finds it used.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import Person, hashed
from app.errors import BadInput, NotFound
from app.language import gettext as _
from app.models import Audit, Invitation, Project, User
from app.models.invitation import ROLES
from app.people import service

USUAL_DAYS, MOST_DAYS = 7, 90


@dataclass(frozen=True, slots=True)
class Open:
    """A link that still works: to which project (none for an admin of this place), and who made it."""

    invitation: Invitation
    project: Project | None
    invited_by: str


def invite(
    session: Session, person: Person, project: Project | None, *, role: str, days: int = USUAL_DAYS, note: str = ""
) -> str:
    """Returns the secret of the link, which is shown this once. The caller has seen to it that `person` may."""
    if role not in ROLES or (role == "admin") != (project is None):
        raise BadInput(_("somebody is invited as annotator or manager of a project, or as admin"), field="role")
    if not 1 <= days <= MOST_DAYS:
        raise BadInput(_("a link works for 1 to %(n)s days", n=MOST_DAYS), field="days")
    note = service.clean_name(note, field="note")
    secret = secrets.token_urlsafe(24)
    row = Invitation(
        token_hash=hashed(secret),
        role=role,
        project_id=project.id if project else None,
        note=note,
        invited_by=person.id,
        expires_at=datetime.now(UTC) + timedelta(days=days),
    )
    session.add(row)
    detail = {"role": role, "for": note, "days": days}
    session.add(Audit(user_id=person.id, action="invitation.made", subject=_subject(project), detail=detail))
    session.flush()  # the list beside it is read in this transaction
    return secret


def _subject(project: Project | None) -> str:
    return project.slug if project else "(this place)"  # no project can be called so


def pending(session: Session, project: Project | None) -> Sequence[tuple[Invitation, str]]:
    """Links into a project, or for admins, that still work, with who made them; those that end first come first."""
    into = Invitation.project_id == project.id if project else Invitation.project_id.is_(None)
    rows = session.execute(
        select(Invitation, User.name)
        .join(User, User.id == Invitation.invited_by)
        .where(into, Invitation.used_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > func.now())
        .order_by(Invitation.expires_at, Invitation.id)
    )
    return [(invitation, name) for invitation, name in rows]


def revoke(session: Session, person: Person, project: Project | None, invitation_id: int) -> None:
    """Raises NotFound for a link into another project, and for one that does not work any more."""
    row = session.get(Invitation, invitation_id, with_for_update=True, populate_existing=True)
    if row is None or row.project_id != (project.id if project else None) or not _works(row):
        raise NotFound(_("there is no such link any more; it was used or has expired"))
    row.revoked_at = datetime.now(UTC)
    session.add(
        Audit(user_id=person.id, action="invitation.revoked", subject=_subject(project), detail={"for": row.note})
    )


def _works(row: Invitation) -> bool:
    return row.used_at is None and row.revoked_at is None and row.expires_at > datetime.now(UTC)


def look(session: Session, secret: str, *, is_locked: bool = False) -> Open:
    """The link with this secret. Raises NotFound if it does not work; says the same whatever the reason."""
    found = select(Invitation).where(Invitation.token_hash == hashed(secret))
    if is_locked:  # what was read before the lock may be old
        found = found.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(found).one_or_none()
    if row is None or not _works(row):
        raise NotFound(_("this link does not work any more, or never did; ask whoever sent it for a new one"))
    project = session.get(Project, row.project_id) if row.project_id is not None else None
    return Open(row, project, session.get_one(User, row.invited_by).name)


def accept_as_new(session: Session, secret: str, *, email: str, name: str, password: str) -> User:
    """Make an account by a link. Nothing is changed before the values are known to be good."""
    found = look(session, secret, is_locked=True)
    if not name.strip():
        raise BadInput(_("please say what others should call you"), field="name")
    role = "admin" if found.invitation.role == "admin" else "annotator"
    service.add_user(session, email, role=role, name=name, password=password, by_themselves=True)
    user = service.user_by_email(session, email)
    _take(session, found, user)
    return user


def accept_as(session: Session, secret: str, user_id: int) -> Open:
    """Let an account that is there already in by a link."""
    found = look(session, secret, is_locked=True)
    _take(session, found, session.get_one(User, user_id))
    return found


def _take(session: Session, found: Open, user: User) -> None:
    row = found.invitation
    row.used_at, row.used_by = datetime.now(UTC), user.id
    if found.project is None:
        user.role = "admin"
    else:
        service.join(session, user.id, found.project.id, row.role)
    detail = {"user": user.id, "role": row.role, "invited_by": row.invited_by}
    session.add(Audit(user_id=user.id, action="invitation.accepted", subject=_subject(found.project), detail=detail))
