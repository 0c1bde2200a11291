from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, Table


class RunSample(Table):
    """What the model answered after `step` steps to a few held-out prompts, the same each time: [{prompt, text, …}, …]."""

    __tablename__ = "run_sample"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    samples: Mapped[list[Json]]
    created_at: Mapped[CreatedAt]
