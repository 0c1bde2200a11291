from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Json, Table


class RunWatch(Table):
    """What a run's supervisor sees of it: the end of its log, and what it takes of its machine (`usage`, as told by
    `worker/usage.py`). Beside the run's row, because nobody who lists runs wants it.
    """

    __tablename__ = "run_watch"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    log: Mapped[str]
    usage: Mapped[Json]
    told_at: Mapped[datetime]
