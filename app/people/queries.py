"""Questions about people and their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import ApiToken, Membership, Project, User


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in; `projects` are (slug, role) of those they are a member of."""

    user: User
    projects: list[tuple[str, str]]


def people(session: Session) -> Sequence[Account]:
    """Everybody who can sign in, with the projects they are members of; those who are shut out come last."""
    pairs = func.json_agg(func.json_build_array(Project.slug, Membership.role)).filter(Project.slug.is_not(None))
    rows = session.execute(
        select(User, pairs)
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(Project, Project.id == Membership.project_id)
        .where(User.judge_kind == "human")
        .group_by(User.id)
        .order_by(User.disabled_at.is_not(None), User.role, User.email)
    )
    return [Account(user, sorted((slug, role) for slug, role in projects or ())) for user, projects in rows]


def memberships(session: Session, user_id: int) -> Sequence[tuple[str, str, str]]:
    """Slug, name and role of the projects that somebody is a member of."""
    rows = session.execute(
        select(Project.slug, Project.name, Membership.role)
        .join(Membership, Membership.project_id == Project.id)
        .where(Membership.user_id == user_id)
        .order_by(Project.name, Project.id)
    )
    return [(slug, name, role) for slug, name, role in rows]


def tokens(session: Session, user_id: int) -> Sequence[ApiToken]:
    return session.scalars(
        select(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None)).order_by(ApiToken.id.desc())
    ).all()


def project_slugs(session: Session) -> Sequence[str]:
    return session.scalars(select(Project.slug).order_by(Project.slug)).all()
