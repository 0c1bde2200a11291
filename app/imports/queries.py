"""Questions about past imports, which the audit remembers."""

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.imports.service import ACTION
from app.language import gettext as _
from app.models import Audit, Project, User


def _imports(project: Project) -> Select[Audit]:
    return select(Audit).where(Audit.action == ACTION, Audit.subject == project.slug)


def recent_imports(session: Session, project: Project) -> Sequence[Audit]:
    """The newest ten."""
    return session.scalars(_imports(project).order_by(Audit.id.desc()).limit(10)).all()


def imports_page(
    session: Session, project: Project, *, after: int | None, limit: int
) -> Sequence[tuple[Audit, str | None]]:
    """Newest first, each with who did it; one more than `limit` when there are more."""
    statement = _imports(project).outerjoin(User, User.id == Audit.user_id).with_only_columns(Audit, User.name)
    if after is not None:
        statement = statement.where(Audit.id < after)
    return [(row[0], row[1]) for row in session.execute(statement.order_by(Audit.id.desc()).limit(limit + 1))]


def import_by_id(session: Session, project: Project, import_id: int) -> Audit:
    found = session.scalars(_imports(project).where(Audit.id == import_id)).one_or_none()
    if found is None:
        raise NotFound(_("there is no such import into this project"))
    return found
