from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table


class RunKeep(Table):
    """The state of a run after `step` steps, kept in storage below `prefix` so that any trainer can go on from there.

    The row is committed once the files are whole, in the transaction that tells the steps before it. `told` is what the run
    had found out by then: what exactly it started from, and what that measured. `measured` is what the model was worth on
    the test split at this step, where the run looks; `is_best` marks the best of them.
    """

    __tablename__ = "run_keep"
    __table_args__ = (
        Index("uq_run_keep_run_id_step", "run_id", "step", unique=True),
        Index("uq_run_keep_best", "run_id", unique=True, postgresql_where=text("is_best")),
    )

    id: Mapped[RowId]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    step: Mapped[int]
    prefix: Mapped[str]
    files: Mapped[list[Json]]
    told: Mapped[Json]
    measured: Mapped[float | None]
    is_best: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
