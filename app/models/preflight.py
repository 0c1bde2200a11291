from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table

LONGEST_S = 180
"""After so many seconds nobody waits for the answer any more."""
MAX_ATTEMPTS = 2


class Preflight(Table):
    """A planned run that somebody wants to know about before it is ordered, and what a trainer answered.

    queued → running → answered | refused | failed; running → queued when its worker died. Refused means that the run
    would fail for the reason in `error`; failed, that nobody can tell. Whoever claims it adds one to `attempt`, and every
    later write names it. Rows are forgotten after a week: what a run was is in its own row.
    """

    __tablename__ = "preflight"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'answered', 'refused', 'failed')", name="state"),
        Index("ix_preflight_live", "state", "id", postgresql_where=text("state IN ('queued', 'running')")),
    )

    id: Mapped[RowId]
    method: Mapped[str]
    settings: Mapped[Json]
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    base_model: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    stage: Mapped[str] = mapped_column(server_default=text("''"))
    answer: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    error: Mapped[str | None]
    error_field: Mapped[str | None]
    created_by: Mapped[int] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
