from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table

STATES = ("queued", "claimed", "running", "cancelling", "cancelled", "failed", "finished")
MAX_ATTEMPTS = 3
"""Consecutive attempts that got no further than the one before."""


class Run(Table):
    """One training, and the truth about it: messages only say that there is a row to look at.

    `app/run_states.py` draws the states and is the only place that changes them.
    Whoever claims it adds one to `fence`; every later write of that trainer names its fence, so a trainer that was
    taken for dead can write nothing. `lease_until` says the process lives, `last_step_at` that it gets ahead.
    `attempt` counts all that were begun, `in_vain` those since one last kept a state to go on from (`run_keep`).
    `project_ids` are the bounds of the token that ordered it, None without: the base model that it waits for is one of theirs.
    Of the runs that wait, a trainer takes the one with the lowest `priority`, as with items, and then the oldest.
    """

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'claimed', 'running', 'cancelling', 'cancelled', 'failed', 'finished')", name="state"
        ),
        Index(
            "ix_run_live",
            "state",
            "id",
            postgresql_where=text("state IN ('queued', 'claimed', 'running', 'cancelling')"),
        ),
        Index("ix_run_tags", "tags", postgresql_using="gin"),
    )

    id: Mapped[RowId]
    method: Mapped[str]
    settings: Mapped[Json]
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), index=True)
    base_model: Mapped[str]
    checkpoint_name: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    in_vain: Mapped[int] = mapped_column(server_default=text("0"))
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    step: Mapped[int] = mapped_column(server_default=text("0"))
    total_steps: Mapped[int | None]
    seconds_left: Mapped[float | None]
    last_step_at: Mapped[datetime | None]
    stage: Mapped[str] = mapped_column(server_default=text("''"))
    facts: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    results: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    error: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))
    note: Mapped[str] = mapped_column(server_default=text("''"))
    project_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    created_by: Mapped[int] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
