"""The row of a publication as whoever works on it sees it: claimed, held, given back or ended, and what the sweep does.

Each is one short transaction that names the fence of its claim, so a process that was taken for dead writes nothing any
more, and is told so by the first thing it tries to write. A few go on at a time, for the whole place: uploads share one line.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, null, or_, select, update
from sqlalchemy.orm import Session

from app.db import work_unit
from app.doorbell import ring, ring_again
from app.models import Publication
from app.models.publication import MAX_ATTEMPTS

JOB = "publications.push"
UNDER_WAY: Final = ("queued", "running", "cancelling")
LIVE: Final = ("running", "cancelling")
ENDED: Final = {
    "secret": null(),
    "lease_until": null(),
    "not_before": null(),
    "doing": "",
    "finished_at": func.now(),
}
"""What belongs to an end, however it came; the secret goes with the state that needed it."""
LEASE = timedelta(seconds=60)
MOST_AT_ONCE = 3
WAITS_S = (10, 60, 300, 900)
LONGEST_WAIT = timedelta(days=1)
AWAY = "The process that sent this was ended several times before it got any further: its machine was switched off, or had no memory left."
TOO_LATE = "Nobody took this up for a day, so the secret that was given for it is forgotten. Start the worker `app`, then try again."
_LOCK = 7_190_433_001
"""A number of this file's own for the lock under which claims are counted."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the row says to whoever holds it."""

    is_mine: bool
    is_cancelled: bool = False


def claim(publication_id: int) -> int | None:
    """The fence of this attempt; None where there is nothing to take, or enough goes on already."""
    with work_unit() as session:
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        going_on = select(func.count()).where(Publication.state.in_(LIVE)).scalar_subquery()
        due = or_(Publication.not_before.is_(None), Publication.not_before <= func.now())
        return session.scalar(
            update(Publication)
            .where(Publication.id == publication_id, Publication.state == "queued", due, going_on < MOST_AT_ONCE)
            .values(
                state="running",
                fence=Publication.fence + 1,
                attempt=Publication.attempt + 1,
                lease_until=func.now() + LEASE,
                done_files=0,
                done_bytes=0,
                started_at=func.coalesce(Publication.started_at, func.now()),
                doing="",
            )
            .returning(Publication.fence)
        )


def hold(publication_id: int, fence: int, **seen: Any) -> Told:
    """Say that the process lives and what it has done: `done_files`, `done_bytes`, `doing`."""
    mine = (Publication.id == publication_id, Publication.fence == fence, Publication.state.in_(LIVE))
    statement = update(Publication).where(*mine).values(lease_until=func.now() + LEASE, **seen)
    with work_unit() as session:
        state = session.scalar(statement.returning(Publication.state))
    return Told(is_mine=state is not None, is_cancelled=state == "cancelling")


def end(publication_id: int, fence: int, state: str, **values: Any) -> bool:
    """Whether this attempt was still the one that may say so."""
    with work_unit() as session:
        row = _held(session, publication_id, fence)
        if row is not None:
            _end(session, row, state, **values)
    return row is not None


def give_back(publication_id: int, fence: int) -> None:
    """For a process that is asked to leave: another one goes on at once. One that was to be cancelled is."""
    with work_unit() as session:
        if row := _held(session, publication_id, fence):
            _again(session, row)


def put_off(publication_id: int, fence: int, error: str) -> None:
    """What went wrong may pass: once more, later and later; ended when that has been in vain too often."""
    with work_unit() as session:
        row = _held(session, publication_id, fence)
        if row is None:
            return
        _count(row)
        if row.in_vain >= MAX_ATTEMPTS:
            _end(session, row, "cancelled" if row.state == "cancelling" else "failed", error=error)
        else:
            _again(session, row, wait_s=WAITS_S[min(row.in_vain, len(WAITS_S)) - 1], error=error)


def _held(session: Session, publication_id: int, fence: int) -> Publication | None:
    mine = (Publication.id == publication_id, Publication.fence == fence, Publication.state.in_(LIVE))
    return session.scalars(select(Publication).where(*mine).with_for_update()).one_or_none()


def _count(row: Publication) -> None:
    """One attempt more that got no further, or the first since one did."""
    row.in_vain = 1 if row.done_files > row.most_files else row.in_vain + 1


def _again(session: Session, row: Publication, wait_s: float = 0, error: str | None = None) -> None:
    """Back to those that wait; cancelled where somebody wants that."""
    if row.state == "cancelling":
        _end(session, row, "cancelled")
        return
    row.most_files = max(row.most_files, row.done_files)
    row.state, row.fence, row.lease_until, row.doing, row.error = "queued", row.fence + 1, None, "", error
    row.waiting_since = session.scalar(select(func.now())) or row.waiting_since
    row.not_before = row.waiting_since + timedelta(seconds=wait_s) if wait_s else None
    if not wait_s:
        ring(session, JOB, row.id)


def _end(session: Session, row: Publication, state: str, **values: Any) -> None:
    for name, value in (ENDED | {"state": state, "fence": row.fence + 1} | values).items():
        setattr(row, name, value)
    session.flush()
    # there is room for another one: the oldest that waits is told
    oldest = select(Publication.id).where(Publication.state == "queued").order_by(Publication.id).limit(1)
    for row_id in session.scalars(oldest):
        ring(session, JOB, row_id)


# --- for the sweep


def take_back(session: Session) -> int:
    """Publications whose process was not heard of for as long as a lease lasts."""
    unheard = or_(Publication.lease_until < func.now(), Publication.lease_until.is_(None))
    lost = select(Publication).where(Publication.state.in_(LIVE), unheard).with_for_update(skip_locked=True)
    rows = session.scalars(lost).all()
    for row in rows:
        _count(row)
        if row.in_vain >= MAX_ATTEMPTS and row.state == "running":
            _end(session, row, "failed", error=AWAY)
        else:
            _again(session, row)
    return len(rows)


def ring_for_waiting(session: Session) -> int:
    """Those whose time has come, once in each sweep; the claim makes one ring too many harmless."""
    due = or_(Publication.not_before.is_(None), Publication.not_before <= func.now())
    waiting = select(Publication.id).where(Publication.state == "queued", due).order_by(Publication.id)
    ring_again(session, JOB, session.scalars(waiting))
    return 0


def forget_secrets(session: Session) -> int:
    """Publications that nobody takes up: a secret does not lie about for longer than a day."""
    waiting = (Publication.state == "queued", Publication.waiting_since < func.now() - LONGEST_WAIT)
    rows = session.scalars(select(Publication).where(*waiting).with_for_update(skip_locked=True)).all()
    for row in rows:
        _end(session, row, "failed", error=TOO_LATE)
    return len(rows)
