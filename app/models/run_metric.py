from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, Table


class RunMetric(Table):
    """What one step measured, by name: loss, accuracy, margin, learning_rate … A repeated step overwrites itself."""

    __tablename__ = "run_metric"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    values: Mapped[Json]
    created_at: Mapped[CreatedAt]
