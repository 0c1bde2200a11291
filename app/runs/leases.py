"""Runs whose trainer is gone, and runs whose message is: both are found by their rows alone."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from app.doorbell import ring, ring_again
from app.models import Run, RunKeep, Trainer
from app.models.run import MAX_ATTEMPTS
from app.run_states import LIVE, OVER, move
from app.settings import get_settings
from app.storage import storage

TOO_OFTEN = (
    f"The trainer's machine went away in each of the last {MAX_ATTEMPTS} attempts, none of which got further: it was switched off, or had no memory left. "
    "Fewer groups_per_step, a smaller max_length or a smaller model need less."
)


def take_back_runs(session: Session) -> int:
    """Runs that were not heard of for as long as a lease lasts: back to the queue, or ended if that happens too often.

    The fence moves on, so that a trainer that was only slow can write nothing from here on. Its supervisor renews the
    lease many times within its length; whichever of the two statements is first, the other one finds no row.
    """
    unheard = Run.id.in_(_unheard(session))
    was_last = Run.in_vain >= MAX_ATTEMPTS
    failed = move({"claimed": "failed", "running": "failed"}).where(unheard, was_last).values(error=TOO_OFTEN)
    others = move({"claimed": "queued", "running": "queued", "cancelling": "cancelled"}).where(unheard)
    taken_back = [
        row
        for statement in (failed, others)
        for row in session.execute(statement.values(fence=Run.fence + 1).returning(Run.id, Run.state)).all()
    ]
    for run_id, state in taken_back:
        if state == "queued":
            ring(session, "runs.train", run_id)
    return len(taken_back)


def _unheard(session: Session) -> Sequence[int]:
    """A row that somebody is writing at this moment is left to the next sweep, so that nothing else waits for it."""
    is_over = or_(Run.lease_until < func.now(), Run.lease_until.is_(None))
    found = select(Run.id).where(Run.state.in_(LIVE), is_over).order_by(Run.id).with_for_update(skip_locked=True)
    return session.scalars(found).all()


def ring_for_waiting_runs(session: Session) -> int:
    """Oldest first, once in each sweep: there is never a next portion. The claim makes one ring too many harmless."""
    waiting = select(Run.id).where(Run.state == "queued").order_by(Run.id)
    ring_again(session, "runs.train", session.scalars(waiting))
    return 0


def forget_old_states(session: Session) -> int:
    """Runs that have been over for RESUME_DAYS can go on no more; what was kept of them goes, rows first.

    With the rows goes all that lies in the run's folder, also what trainers left there that were killed while they wrote.
    """
    since = func.now() - timedelta(days=get_settings().resume_days)
    old = select(Run.id).where(Run.state.in_(OVER), Run.finished_at < since)
    gone = session.scalars(delete(RunKeep).where(RunKeep.run_id.in_(old)).returning(RunKeep.run_id)).all()
    for run_id in set(gone):
        storage().delete_all(f"kept/run-{run_id}")
    return len(gone)


def forget_gone_trainers(session: Session) -> int:
    """A container that is made anew has a new name; those not seen for a week tell nobody anything any more."""
    gone = delete(Trainer).where(Trainer.last_seen_at < func.now() - timedelta(days=7)).returning(Trainer.id)
    return len(session.execute(gone).all())
