"""Questions about people and their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, any_, func, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from app.access import Person, within
from app.errors import NotFound
from app.language import gettext as _
from app.models import ApiToken, Membership, Project, User


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in; `projects` are (slug, role) of those they are a member of."""

    user: User
    projects: list[tuple[str, str]]


def people(session: Session) -> Sequence[Account]:
    """Everybody who can sign in, with the projects they are members of; those who are shut out come last."""
    return _told(session, _accounts().order_by(User.disabled_at.is_not(None), User.role, User.email))


def people_page(session: Session, *, after: int | None, limit: int) -> Sequence[Account]:
    """The same by number, and one more than `limit` if there are more."""
    return _told(session, _accounts().where(User.id > (after or 0)).order_by(User.id).limit(limit + 1))


def account(session: Session, user_id: int) -> Account:
    for one in _told(session, _accounts().where(User.id == user_id)):
        return one
    raise NotFound(_("there is no account %(number)s", number=user_id))


def _accounts() -> Select[User, Any]:
    pairs = func.json_agg(func.json_build_array(Project.slug, Membership.role)).filter(Project.slug.is_not(None))
    return (
        select(User, pairs)
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(Project, Project.id == Membership.project_id)
        .where(User.judge_kind == "human")
        .group_by(User.id)
    )


def _told(session: Session, accounts: Select[User, Any]) -> Sequence[Account]:
    rows = session.execute(accounts)
    return [Account(user, sorted((slug, role) for slug, role in projects or ())) for user, projects in rows]


def first_admin(session: Session) -> Person:
    """Whoever owns this machine, as far as its commands are concerned."""
    user = session.scalars(
        select(User).where(User.role == "admin", User.disabled_at.is_(None)).order_by(User.id)
    ).first()
    if user is None:
        raise NotFound("there is no admin yet; add one with `tiebreak user add EMAIL --role admin`")
    return Person(user.id, user.name, user.role)


def memberships(session: Session, user_id: int, asked_by: Person | None = None) -> Sequence[tuple[str, str, str]]:
    """Slug, name and role of the projects that somebody is a member of, as far as the token of whoever asks reaches."""
    rows = session.execute(
        select(Project.slug, Project.name, Membership.role)
        .join(Membership, Membership.project_id == Project.id)
        .where(Membership.user_id == user_id, true() if asked_by is None else within(asked_by, Project.id))
        .order_by(Project.name, Project.id)
    )
    return [(slug, name, role) for slug, name, role in rows]


@dataclass(frozen=True, slots=True)
class Choice:
    """A project that a token may be bound to."""

    id: int
    slug: str
    name: str


def bounds_for(session: Session, user: User | Person) -> Sequence[Choice]:
    """The projects that somebody may see, by name: all of them for an admin."""
    seen = select(Project.id, Project.slug, Project.name).order_by(Project.name, Project.id)
    if user.role != "admin":
        seen = seen.join(Membership, Membership.project_id == Project.id).where(Membership.user_id == user.id)
    return [Choice(*row) for row in session.execute(seen)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A token with the slugs of the projects that it is bound to, none for one without bounds."""

    token: ApiToken
    projects: Sequence[str]

    @property
    def has_ended(self) -> bool:
        return self.token.expires_at is not None and self.token.expires_at <= datetime.now(UTC)


def tokens(session: Session, user_id: int) -> Sequence[Shown]:
    """Those that are not revoked, newest first."""
    slugs = select(func.array_agg(aggregate_order_by(Project.slug, Project.slug)))
    bounds = slugs.where(Project.id == any_(ApiToken.project_ids)).correlate(ApiToken).scalar_subquery()
    rows = session.execute(
        select(ApiToken, bounds)
        .where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    )
    return [Shown(token, slugs or ()) for token, slugs in rows]


def project_slugs(session: Session) -> Sequence[str]:
    return session.scalars(select(Project.slug).order_by(Project.slug)).all()
