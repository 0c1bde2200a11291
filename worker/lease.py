"""The row of a run as its supervisor sees it: claimed, held, given back or closed, each in a transaction of its own.

A claim is one conditional UPDATE that adds one to ``fence``; two messages, two workers or a sweep can race for it and
one wins. Every later statement names the fence and a state in which it is held (`run_states.py`): once somebody else has
the run, nothing matches any more. Times are the database's own, so that the clocks of machines need not agree. A lease is in seconds
(``TRAINER_LEASE_S``).

Errors: what the database raises when it cannot be reached; the caller decides how long to bear that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.db import work_unit
from app.doorbell import ring
from app.models import Run, RunKeep, RunMetric, RunSample, Trainer
from app.models.run import MAX_ATTEMPTS
from app.run_shares import forget_shares
from app.run_states import LIVE, base_to_come, move
from app.settings import get_settings
from worker.launch import MOST_PROCESSES

MOST_LOOKED_AT = 1000
"""Runs that wait, in one search for the next one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to train a run, until its lease runs out or somebody else claims it. ``attempt`` counts from 1; ``processes`` are to work on it."""

    run_id: int
    fence: int
    attempt: int
    processes: int = 1


class Standing(Enum):
    HELD = auto()
    CANCELLING = auto()
    """Held, and a person has asked for its end."""
    CLOSED = auto()
    """By its own trainer, which has said how it ended and may still be putting its things away."""
    LOST = auto()


def most_urgent(owner: str) -> int | None:
    """The run that this trainer takes next when it is free: the lowest priority, then the oldest. A message only says that one waits.

    Not one that asks for more than its devices have (`abilities.py`): another trainer that lives may have it.
    """
    with work_unit() as session:
        methods = session.scalar(select(Trainer.methods).where(Trainer.name == owner)) or []
        limits = {method["name"]: [each for each in method["settings"] if each.get("narrowed")] for method in methods}
        waiting = select(Run.id, Run.method, Run.settings).where(*_is_to_be_had()).order_by(Run.priority, Run.id)
        for run_id, method, settings in session.execute(waiting.limit(MOST_LOOKED_AT)):
            if all(_is_within(each, settings.get(each["name"])) for each in limits.get(method, ())):
                return int(run_id)
    return None


def _is_within(limit: Mapping[str, Any], value: Any) -> bool:
    """What is no value of this setting at all is for the trainer to refuse in words."""
    if isinstance(value, int) and limit.get("high") is not None:
        return bool(value <= limit["high"])
    return not (isinstance(value, str) and limit.get("choices")) or value in limit["choices"]


def _is_to_be_had() -> tuple[Any, ...]:
    return Run.state == "queued", base_to_come().is_(None)


def claim(run_id: int, owner: str) -> Claim | None:
    """Take a run that waits in the queue; None when there is nothing to take. It goes on from the last state it kept."""
    kept = select(func.coalesce(func.max(RunKeep.step), 0)).where(RunKeep.run_id == run_id).scalar_subquery()
    with work_unit() as session:
        taken = session.execute(
            move({"queued": "claimed"})
            .where(Run.id == run_id, *_is_to_be_had())
            .values(
                fence=Run.fence + 1,
                attempt=Run.attempt + 1,
                in_vain=Run.in_vain + 1,
                owner=owner,
                lease_until=_lease_end(),
                started_at=func.now(),
                step=kept,
                total_steps=None,
                last_step_at=None,
                results={},
            )
            .returning(Run.fence, Run.attempt, Run.settings, Run.step)
        ).one_or_none()
        if taken is not None:  # what is done again would stand ahead of the curve
            for table in (RunMetric, RunSample):
                session.execute(delete(table).where(table.run_id == run_id, table.step >= taken.step))
            forget_shares(session, run_id, taken.step)
    return Claim(run_id, taken.fence, taken.attempt, _processes(taken.settings)) if taken else None


def held_by(owner: str) -> Claim | None:
    """The run that this trainer holds now, for the other machines that train it too."""
    mine = (Run.owner == owner, Run.state.in_(LIVE), Run.lease_until > func.now())
    with work_unit() as session:
        found = session.execute(
            select(Run.id, Run.fence, Run.attempt, Run.settings).where(*mine).order_by(Run.started_at.desc()).limit(1)
        ).one_or_none()
    return Claim(found.id, found.fence, found.attempt, _processes(found.settings)) if found else None


def _processes(settings: Mapping[str, Any]) -> int:
    """How many the run asks for. What is no sensible number is left to one trainer to refuse in words."""
    wanted = settings.get("processes", 1)
    return wanted if type(wanted) is int and 1 <= wanted <= MOST_PROCESSES else 1


def renew(held: Claim) -> Standing:
    """Say that the trainer's process lives."""
    with work_unit() as session:
        beat = update(Run).where(*_mine(held), Run.state.in_(LIVE)).values(lease_until=_lease_end())
        state = session.scalar(beat.returning(Run.state))
        if state is not None:
            return Standing.CANCELLING if state == "cancelling" else Standing.HELD
        closed = select(Run.fence).where(Run.id == held.run_id, Run.state.in_(("finished", "failed")))
        return Standing.CLOSED if session.scalar(closed) == held.fence else Standing.LOST


def give_back(held: Claim) -> None:
    """Back to the queue through no fault of the run, so that the attempt does not count."""
    with work_unit() as session:
        _requeue(session, held, attempt=Run.attempt - 1, in_vain=func.greatest(Run.in_vain - 1, 0))


def retry_or_fail(held: Claim, words: str) -> None:
    """Back to the queue after a death without a word; after the last attempt that got no further the run has failed."""
    with work_unit() as session:
        failed = move({"claimed": "failed", "running": "failed"}).where(*_mine(held), Run.in_vain >= MAX_ATTEMPTS)
        if session.scalar(failed.values(error=words).returning(Run.id)) is None:
            _requeue(session, held)


def fail(held: Claim, words: str) -> None:
    """A run that its trainer has closed already stays as it is."""
    with work_unit() as session:
        session.execute(move(dict.fromkeys(LIVE, "failed")).where(*_mine(held)).values(error=words))


def cancel(held: Claim) -> None:
    """The end that a person wished for. A run that its trainer has closed already stays as it is."""
    with work_unit() as session:
        session.execute(move({"cancelling": "cancelled"}).where(*_mine(held)))


def _requeue(session: Session, held: Claim, **values: Any) -> None:
    """Queued and rung for, unless a person wants it to end: then this is its end."""
    ways = {"claimed": "queued", "running": "queued", "cancelling": "cancelled"}
    if session.scalar(move(ways).where(*_mine(held)).values(**values).returning(Run.state)) == "queued":
        ring(session, "runs.train", held.run_id)


def _mine(held: Claim) -> tuple[Any, Any]:
    return Run.id == held.run_id, Run.fence == held.fence


def _lease_end() -> Any:
    return func.now() + timedelta(seconds=get_settings().trainer_lease_s)
