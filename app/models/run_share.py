from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class RunShare(Table):
    """What a share of a run's steps measured under one name: `width` steps from `first`, all of them told (`run_shares.py`).

    `step` is the last of them with this measurement. `low` and `high` are empty where none of its `n` values is a number.
    """

    __tablename__ = "run_share"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    width: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int]
    n: Mapped[int]
    total: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
