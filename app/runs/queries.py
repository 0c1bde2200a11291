"""Questions about runs and about the trainers that are there to take them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, literal, select, tuple_
from sqlalchemy.orm import Session

from app.access import Person, within
from app.errors import NotFound
from app.language import gettext
from app.models import Checkpoint, CheckpointAlias, Dataset, Run, Trainer
from app.run_states import LIVE, UNDER_WAY
from app.runs.methods import Method, read_methods

LIVE_FOR = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Announced:
    """Methods by name: `live` can be ordered now, `known` also holds those of trainers that are gone."""

    live: dict[str, Method]
    known: dict[str, Method]


def announced(session: Session) -> Announced:
    """Where trainers differ about a method, the one that was seen last is right, and the device of each counts that lives."""
    rows = session.execute(
        select(Trainer.methods, Trainer.last_seen_at > func.now() - LIVE_FOR).order_by(Trainer.last_seen_at)
    )
    live: dict[str, Method] = {}
    known: dict[str, Method] = {}
    for methods, is_live in rows:
        of_one = {method.name: method for method in read_methods(methods)}
        known |= of_one
        if is_live:
            live |= {name: method.widened(live.get(name, method)) for name, method in of_one.items()}
    return Announced(live, known)


def live_trainers(session: Session) -> Sequence[Trainer]:
    return session.scalars(
        select(Trainer).where(Trainer.last_seen_at > func.now() - LIVE_FOR).order_by(Trainer.name)
    ).all()


def run_by_id(session: Session, person: Person, run_id: int) -> Run:
    """Raises NotFound also for what is beyond the bounds of a token."""
    run = session.get(Run, run_id)
    if run is None or not _is_within(session, person, run):
        raise NotFound(gettext("There is no run %(run_id)s.", run_id=run_id))
    return run


def _is_within(session: Session, person: Person, run: Run) -> bool:
    return person.projects is None or person.reaches(session.get_one(Dataset, run.dataset_id).project_id)


@dataclass(frozen=True, slots=True)
class Listed:
    """A run with what it learns from and what came of it."""

    run: Run
    dataset: Dataset
    checkpoint: Checkpoint | None


def newest_of(run_id: Any) -> Any:
    """A run that was extended has published more than once."""
    return select(func.max(Checkpoint.id)).where(Checkpoint.run_id == run_id).correlate(Run).scalar_subquery()


def listed_run(session: Session, person: Person, run_id: int) -> Listed:
    run = run_by_id(session, person, run_id)
    checkpoint = session.scalars(select(Checkpoint).where(Checkpoint.id == newest_of(run.id))).one_or_none()
    return Listed(run, session.get_one(Dataset, run.dataset_id), checkpoint)


def runs_ahead(session: Session, run: Run) -> int:
    """How many runs a queued one waits for: those that are being trained, and those that are taken before it."""
    is_before = tuple_(Run.priority, Run.id) < tuple_(literal(run.priority), literal(run.id))
    ahead = select(func.count()).where(Run.state.in_(LIVE) | ((Run.state == "queued") & is_before))
    return session.scalars(ahead).one()


def newest_checkpoint(session: Session, name: str, version: int | None = None) -> Checkpoint | None:
    there = select(Checkpoint).where(Checkpoint.name == name, Checkpoint.deleted_at.is_(None))
    statement = there.order_by(Checkpoint.version.desc()).limit(1)
    if version is not None:
        statement = statement.where(Checkpoint.version == version)
    return session.scalars(statement).one_or_none()


def aliases_of_name(session: Session, person: Person, name: str) -> dict[str, int]:
    """The version that each alias of a name stands for now, in alphabetical order, as far as the person's token reaches."""
    mine = select(CheckpointAlias.alias, CheckpointAlias.version).where(CheckpointAlias.name == name)
    if person.projects is not None:
        stands_for = (CheckpointAlias.name == Checkpoint.name) & (CheckpointAlias.version == Checkpoint.version)
        mine = mine.join(Checkpoint, stands_for).join(Run, Run.id == Checkpoint.run_id)
        mine = mine.join(Dataset, Dataset.id == Run.dataset_id).where(within(person, Dataset.project_id))
    return dict(session.execute(mine.order_by(CheckpointAlias.alias)).all())


def checkpoint_names(session: Session) -> Sequence[tuple[str, str]]:
    """Name and kind of everything that a run can start from, newest first."""
    newest = select(Checkpoint.name, Checkpoint.kind, func.max(Checkpoint.id).label("newest"))
    newest = newest.where(Checkpoint.deleted_at.is_(None)).group_by(Checkpoint.name, Checkpoint.kind)
    rows = session.execute(newest.order_by(func.max(Checkpoint.id).desc()).limit(200))
    return [(name, kind) for name, kind, _ in rows]


def is_of_others(session: Session, person: Person, name: str, version: int | None = None) -> bool:
    """Whether a run on a dataset beyond the bounds of their token publishes, or has published, under this name."""
    if person.projects is None:
        return False
    others = select(Run.id).join(Dataset, Dataset.id == Run.dataset_id).where(~within(person, Dataset.project_id))
    if version is None:
        others = others.where(Run.checkpoint_name == name)
    else:
        others = others.join(Checkpoint, Checkpoint.run_id == Run.id)
        others = others.where(Checkpoint.name == name, Checkpoint.version == version)
    return session.scalar(others.limit(1)) is not None


def is_being_made(session: Session, name: str) -> bool:
    """Whether a run that is not over will publish a checkpoint of this name."""
    waiting = select(Run.id).where(Run.checkpoint_name == name, Run.state.in_(UNDER_WAY)).limit(1)
    return session.scalar(waiting) is not None
