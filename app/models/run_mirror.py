from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class RunMirror(Table):
    """How far a run has been told to one tracking server, as the process says that tells it (`worker/mirror.py`): ``state`` is telling,
    lost (tried again), told or given up, ``step`` how many steps it has, ``problem`` why it is lost or given up.
    """

    __tablename__ = "run_mirror"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    step: Mapped[int]
    problem: Mapped[str | None]
    told_at: Mapped[datetime]
