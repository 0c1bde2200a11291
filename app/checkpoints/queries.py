"""Questions about checkpoints: which are there, and where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.language import gettext as _
from app.models import Checkpoint, Dataset, Project, Run


@dataclass(frozen=True, slots=True)
class Lineage:
    """A checkpoint with all it came from: project → dataset → run."""

    checkpoint: Checkpoint
    run: Run
    dataset: Dataset
    project: Project


def _lineages() -> Select[Checkpoint, Run, Dataset, Project]:
    return (
        select(Checkpoint, Run, Dataset, Project)
        .join(Run, Run.id == Checkpoint.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .join(Project, Project.id == Dataset.project_id)
    )


def checkpoints_page(session: Session, *, after: int | None, limit: int) -> Sequence[Lineage]:
    """Newest first; one more than `limit` when there are more."""
    statement = _lineages().order_by(Checkpoint.id.desc()).limit(limit + 1)
    if after is not None:
        statement = statement.where(Checkpoint.id < after)
    return [Lineage(*row) for row in session.execute(statement)]


def lineage(session: Session, checkpoint_id: int) -> Lineage:
    found = session.execute(_lineages().where(Checkpoint.id == checkpoint_id)).one_or_none()
    if found is None:
        raise NotFound(_("There is no checkpoint %(checkpoint_id)s.", checkpoint_id=checkpoint_id))
    return Lineage(*found)


def checkpoint_by_id(session: Session, checkpoint_id: int) -> Checkpoint:
    checkpoint = session.get(Checkpoint, checkpoint_id)
    if checkpoint is None:
        raise NotFound(_("There is no checkpoint %(checkpoint_id)s.", checkpoint_id=checkpoint_id))
    return checkpoint


def other_versions(session: Session, checkpoint: Checkpoint) -> Sequence[Checkpoint]:
    """The other versions of the same name, newest first."""
    same_name = (Checkpoint.name == checkpoint.name, Checkpoint.id != checkpoint.id)
    return session.scalars(select(Checkpoint).where(*same_name).order_by(Checkpoint.version.desc()).limit(50)).all()
