from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class JudgedHour(Table):
    """The sums of `Judged` for each hour (UTC) in which somebody judged; `first` is the time of their first judgment in it."""

    __tablename__ = "judged_hour"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    turns: Mapped[int]
    skips: Mapped[int]
    first: Mapped[datetime]
