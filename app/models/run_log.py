from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Table

LONGEST_LOG = 8_000_000
"""Characters that are kept of a run's log, all attempts together; of what comes after them only the end is (`run_watch`)."""


class RunLog(Table):
    """A piece of a run's log: what the trainer with this `fence` printed from `place` on, in characters of its own log.

    Written by its supervisor every few seconds, so that it is there when the machine no longer is. `fence` and not `attempt` tells
    whose it is: an attempt through no fault of the run does not count, and the next one has its number.
    """

    __tablename__ = "run_log"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    fence: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    owner: Mapped[str]
    words: Mapped[str]
    created_at: Mapped[CreatedAt]
