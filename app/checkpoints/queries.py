"""Questions about checkpoints: which are there, and where they come from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from app.access import Person, within
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


def checkpoints_page(
    session: Session, person: Person, *, name: str = "", after: int | None, limit: int
) -> Sequence[Lineage]:
    """Newest first, without those deleted, of one name or all; one more than `limit` when there are more."""
    theirs = _lineages().where(Checkpoint.deleted_at.is_(None), within(person, Dataset.project_id))
    statement = theirs.order_by(Checkpoint.id.desc()).limit(limit + 1)
    if name:
        statement = statement.where(Checkpoint.name == name)
    if after is not None:
        statement = statement.where(Checkpoint.id < after)
    return [Lineage(*row) for row in session.execute(statement)]


def lineage(session: Session, person: Person, checkpoint_id: int) -> Lineage:
    """Raises NotFound also for what is beyond the bounds of a token."""
    this = (Checkpoint.id == checkpoint_id, within(person, Dataset.project_id))
    found = session.execute(_lineages().where(*this)).one_or_none()
    if found is None:
        raise NotFound(_("There is no checkpoint %(checkpoint_id)s.", checkpoint_id=checkpoint_id))
    return Lineage(*found)


def checkpoint_by_id(session: Session, person: Person, checkpoint_id: int) -> Checkpoint:
    return lineage(session, person, checkpoint_id).checkpoint


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


def of_theirs(person: Person) -> Select[Checkpoint]:
    """The versions that are there, as far as a person's token reaches; whether they may see any is for who asks."""
    there = select(Checkpoint).where(Checkpoint.deleted_at.is_(None))
    if person.projects is None:
        return there
    came_from = there.join(Run, Run.id == Checkpoint.run_id).join(Dataset, Dataset.id == Run.dataset_id)
    return came_from.where(within(person, Dataset.project_id))


def version_named(session: Session, person: Person, name: str, version: int) -> Checkpoint:
    """A version that is there. Raises NotFound, also for one that was deleted."""
    this = of_theirs(person).where(Checkpoint.name == name, Checkpoint.version == version)
    checkpoint = session.scalars(this).one_or_none()
    if checkpoint is None:
        raise NotFound(_("There is no checkpoint %(name)s v%(version)s.", name=name, version=version))
    return checkpoint


_STANDS_FOR = (CheckpointAlias.name == Checkpoint.name) & (CheckpointAlias.version == Checkpoint.version)


def aliases_of_name(session: Session, person: Person, name: str) -> Sequence[CheckpointAlias]:
    """The aliases of a name, in alphabetical order."""
    theirs = of_theirs(person).join(CheckpointAlias, _STANDS_FOR).where(CheckpointAlias.name == name)
    return session.scalars(theirs.with_only_columns(CheckpointAlias).order_by(CheckpointAlias.alias)).all()


def version_by_alias(session: Session, person: Person, name: str, alias: str) -> Checkpoint | None:
    """The version that an alias of this name stands for now; None when there is no such alias."""
    theirs = of_theirs(person).join(CheckpointAlias, _STANDS_FOR)
    return session.scalars(theirs.where(CheckpointAlias.name == name, CheckpointAlias.alias == alias)).one_or_none()


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
