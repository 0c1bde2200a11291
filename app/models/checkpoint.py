from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table

HUB_OWNER = "tiebreak"
"""Whose all repositories of our own hub are: checkpoints and datasets are `tiebreak/<name>` there."""
LOADED_WITH = {"policy": "AutoModelForCausalLM", "reward": "AutoModelForSequenceClassification"}
"""The class of `transformers` for each kind."""


class Checkpoint(Table):
    """A published model: plain `transformers` files in storage below `prefix`, each with its SHA-256.

    One that is deleted keeps its row, so that its version is never given to other weights and what was made from it can
    still name it; its files go, and `files` is empty once they are gone. A run that is extended publishes once more.
    """

    __tablename__ = "checkpoint"
    __table_args__ = (
        CheckConstraint("kind IN ('policy', 'reward')", name="kind"),
        Index("uq_checkpoint_name_version", "name", "version", unique=True),
        Index("uq_checkpoint_run_id_prefix", "run_id", "prefix", unique=True),
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
    deleted_at: Mapped[datetime | None]

    @property
    def exactly(self) -> str:
        """How the facts of a run name what it started from or asked."""
        return f"{self.name} v{self.version}, manifest {self.sha256}"
