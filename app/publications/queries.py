"""Questions about publications: which there are, how far one is, and where things may be published to."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.access import Person, within
from app.checkpoints.queries import checkpoint_by_id, version_named
from app.datasets.queries import dataset_for, dataset_named
from app.errors import NotFound
from app.language import gettext as _
from app.models import Checkpoint, Dataset, Publication, Run
from app.publications.content import Subject, subject_of

_LONGEST_NUMBER = 19


@dataclass(frozen=True, slots=True)
class Seen:
    """A publication with what is published."""

    row: Publication
    subject: Subject

    @property
    def kind(self) -> str:
        return "dataset" if self.row.checkpoint_id is None else "checkpoint"

    @property
    def where(self) -> str:
        """The page of what is published, which all of its publications stand below."""
        return f"/{self.kind}s/{self.subject.id}"

    @property
    def is_over(self) -> bool:
        return self.row.state in {"finished", "failed", "cancelled"}

    @property
    def share(self) -> float:
        return self.row.done_bytes / self.row.n_bytes if self.row.n_bytes else 0.0

    @property
    def files(self) -> int:
        return len(self.row.paths)


def _theirs(person: Person) -> ColumnElement[bool]:
    """What is within the bounds of a token: of a dataset of its projects, or of a checkpoint that was trained on one."""
    sets = select(Dataset.id).where(within(person, Dataset.project_id))
    models = select(Checkpoint.id).join(Run, Run.id == Checkpoint.run_id).where(Run.dataset_id.in_(sets))
    return or_(Publication.dataset_id.in_(sets), Publication.checkpoint_id.in_(models))


def publication_by_id(session: Session, person: Person, publication_id: int) -> Publication:
    this = select(Publication).where(Publication.id == publication_id, _theirs(person))
    found = session.scalars(this).one_or_none()
    if found is None:
        raise NotFound(_("There is no publication %(number)s.", number=publication_id))
    return found


def seen(session: Session, person: Person, publication_id: int) -> Seen:
    row = publication_by_id(session, person, publication_id)
    return Seen(row, subject_of(session, row))


def publications_page(
    session: Session,
    person: Person,
    *,
    after: int | None,
    limit: int,
    checkpoint: int | None = None,
    dataset: int | None = None,
    state: str | None = None,
) -> Sequence[Seen]:
    """Newest first; one more than `limit` when there are more."""
    statement = select(Publication).where(_theirs(person)).order_by(Publication.id.desc()).limit(limit + 1)
    if after is not None:
        statement = statement.where(Publication.id < after)
    if checkpoint is not None:
        statement = statement.where(Publication.checkpoint_id == checkpoint)
    if dataset is not None:
        statement = statement.where(Publication.dataset_id == dataset)
    if state is not None:
        statement = statement.where(Publication.state == state)
    return [Seen(row, subject_of(session, row)) for row in session.scalars(statement).all()]


def subject_by_id(session: Session, person: Person, kind: str, row_id: int) -> Subject:
    """A checkpoint or a dataset that this person may see. Raises NotFound."""
    if kind == "checkpoints":
        return checkpoint_by_id(session, person, row_id)
    return dataset_for(session, person, row_id)[0]


def subject_named(session: Session, person: Person, kind: str, name: str) -> Subject:
    """The dataset or checkpoint that is meant by a name (its newest version), `name@v2`, or an id in digits."""
    if kind == "dataset":
        return dataset_for(session, person, dataset_named(session, name).id)[0]
    if name.isdecimal() and len(name) < _LONGEST_NUMBER:
        return checkpoint_by_id(session, person, int(name))
    bare, _at, version = name.partition("@v")
    if version.isdecimal() and len(version) < _LONGEST_NUMBER:
        return version_named(session, person, bare, int(version))
    newest = select(Checkpoint).where(Checkpoint.name == name, Checkpoint.deleted_at.is_(None))
    found = session.scalars(newest.order_by(Checkpoint.version.desc()).limit(1)).one_or_none()
    if found is None:
        raise NotFound(_("There is no checkpoint “%(name)s”.", name=name))
    return found
