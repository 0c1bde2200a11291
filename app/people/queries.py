"""Questions about people and their tokens."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import ApiToken, Membership, Project, User


def people(session: Session) -> Sequence[tuple[User, list[str]]]:
    """Everybody who can sign in, with the projects they are members of."""
    rows = session.execute(
        select(User, func.coalesce(func.array_agg(Project.slug).filter(Project.slug.is_not(None)), []))
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(Project, Project.id == Membership.project_id)
        .where(User.judge_kind == "human")
        .group_by(User.id)
        .order_by(User.role, User.email)
    )
    return [(user, sorted(slugs)) for user, slugs in rows]


def tokens(session: Session, user_id: int) -> Sequence[ApiToken]:
    return session.scalars(
        select(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None)).order_by(ApiToken.id.desc())
    ).all()


def project_slugs(session: Session) -> Sequence[str]:
    return session.scalars(select(Project.slug).order_by(Project.slug)).all()
