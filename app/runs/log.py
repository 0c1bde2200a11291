"""The log of a run, all its attempts together, as its supervisors have told it (`worker/log_copy.py`)."""

from datetime import UTC
from itertools import groupby
from operator import attrgetter

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Run, RunLog, RunWatch
from app.models.run_log import LONGEST_LOG


def log_of(session: Session, run: Run, *, lines: int | None = None) -> str:
    """Each attempt under a line that says when, where and which it was; or so many of the last lines alone."""
    watched = session.get(RunWatch, run.id)
    end = watched.log if watched is not None else ""
    told = end.splitlines(keepends=True)
    if lines is not None and len(told) >= lines:
        return "".join(told[-lines:])
    piece = (RunLog.fence, RunLog.attempt, RunLog.owner, RunLog.created_at, RunLog.words)
    found = select(*piece).where(RunLog.run_id == run.id).order_by(RunLog.fence, RunLog.place)
    parts, n = [], 0
    for _, pieces in groupby(session.execute(found), key=attrgetter("fence")):
        first, *others = pieces
        words = "".join(piece.words for piece in (first, *others))
        n += len(words)
        parts.append(
            f"== attempt {first.attempt} on {first.owner}, {first.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ==\n"
        )
        parts.append(words if words.endswith("\n") else f"{words}\n")
    if n >= LONGEST_LOG:
        parts.append(f"== {n:,} characters are kept of a run's log. What follows is the end of it ==\n")
    if n >= LONGEST_LOG or not parts:
        parts.append(end)
    whole = "".join(parts)
    return whole if lines is None else "".join(whole.splitlines(keepends=True)[-lines:])
