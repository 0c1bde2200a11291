"""Questions about projects."""

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import NotFound
from app.models import Membership, Project


def readable(person: Person) -> Select[Project]:
    """The projects that this person may see; every query on projects starts here."""
    statement = select(Project)
    if person.is_admin:
        return statement
    return statement.join(Membership, Membership.project_id == Project.id).where(Membership.user_id == person.id)


def project_for(session: Session, person: Person, slug: str) -> Project:
    project = session.scalars(readable(person).where(Project.slug == slug)).one_or_none()
    if project is None:
        raise NotFound(f"there is no project “{slug}” that you may see")
    return project


def projects_of(session: Session, person: Person) -> Sequence[Project]:
    return session.scalars(readable(person).order_by(Project.slug)).all()
