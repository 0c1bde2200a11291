"""Questions about checkpoints: which are there, and where they come from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.language import gettext as _
from app.models import Checkpoint, CheckpointAlias, Dataset, Project, Run


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
    """Newest first, without those deleted; one more than `limit` when there are more."""
    statement = _lineages().where(Checkpoint.deleted_at.is_(None)).order_by(Checkpoint.id.desc()).limit(limit + 1)
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


def there(checkpoint: Checkpoint) -> Checkpoint:
    """The same, if its files can be had. Raises NotFound for one that was deleted."""
    if checkpoint.deleted_at is not None:
        raise NotFound(
            _(
                "%(name)s v%(version)s was deleted; its files are gone.",
                name=checkpoint.name,
                version=checkpoint.version,
            )
        )
    return checkpoint


def other_versions(session: Session, checkpoint: Checkpoint) -> Sequence[Checkpoint]:
    """The other versions of the same name, newest first."""
    same_name = (Checkpoint.name == checkpoint.name, Checkpoint.id != checkpoint.id, Checkpoint.deleted_at.is_(None))
    return session.scalars(select(Checkpoint).where(*same_name).order_by(Checkpoint.version.desc()).limit(50)).all()


def version_named(session: Session, name: str, version: int) -> Checkpoint:
    """A version that is there. Raises NotFound, also for one that was deleted."""
    there = (Checkpoint.name == name, Checkpoint.version == version, Checkpoint.deleted_at.is_(None))
    checkpoint = session.scalars(select(Checkpoint).where(*there)).one_or_none()
    if checkpoint is None:
        raise NotFound(_("There is no checkpoint %(name)s v%(version)s.", name=name, version=version))
    return checkpoint


def aliases_of_name(session: Session, name: str) -> Sequence[CheckpointAlias]:
    """Every alias of a name, in alphabetical order."""
    mine = select(CheckpointAlias).where(CheckpointAlias.name == name)
    return session.scalars(mine.order_by(CheckpointAlias.alias)).all()


def version_by_alias(session: Session, name: str, alias: str) -> Checkpoint | None:
    """The version that an alias of this name stands for now; None when there is no such alias."""
    both = (CheckpointAlias.name == Checkpoint.name) & (CheckpointAlias.version == Checkpoint.version)
    wanted = (CheckpointAlias.name == name, CheckpointAlias.alias == alias, Checkpoint.deleted_at.is_(None))
    return session.scalars(select(Checkpoint).join(CheckpointAlias, both).where(*wanted)).one_or_none()


def aliases_of(session: Session, checkpoints: Sequence[Checkpoint]) -> Mapping[int, Sequence[str]]:
    """The aliases of each of these checkpoints by its id, in alphabetical order; one question for all of them."""
    if not checkpoints:
        return {}
    numbers = {(one.name, one.version): one.id for one in checkpoints}
    stands_for = tuple_(CheckpointAlias.name, CheckpointAlias.version).in_(numbers)
    found: defaultdict[int, list[str]] = defaultdict(list)
    for one in session.scalars(select(CheckpointAlias).where(stands_for).order_by(CheckpointAlias.alias)):
        found[numbers[one.name, one.version]].append(one.alias)
    return found
