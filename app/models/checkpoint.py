from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table


class Checkpoint(Table):
    """A published model: plain `transformers` files in storage below `prefix`, each with its SHA-256."""

    __tablename__ = "checkpoint"
    __table_args__ = (
        CheckConstraint("kind IN ('policy', 'reward')", name="kind"),
        Index("uq_checkpoint_name_version", "name", "version", unique=True),
        Index("uq_checkpoint_run_id", "run_id", unique=True),
    )

    id: Mapped[RowId]
    name: Mapped[str]
    version: Mapped[int]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    kind: Mapped[str]
    prefix: Mapped[str]
    files: Mapped[list[Json]]
    sha256: Mapped[str]
    metrics: Mapped[Json]
    created_at: Mapped[CreatedAt]
