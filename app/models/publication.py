from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table

MAX_ATTEMPTS = 5
"""Consecutive attempts that sent nothing new."""


class Publication(Table):
    """A version of a checkpoint or a dataset on its way to a hub or a bucket of somebody's own, and the truth about it.

    queued → running → finished | failed; queued → cancelled; running → cancelling → cancelled (or finished, where the last
    step was done before the wish was heard); running → queued when its process died or met something that passes.
    Whoever claims it adds one to `fence`, and every later write names it. `in_vain` counts attempts that got no further
    than `most_files`, the most that an earlier one did; `not_before` is when the next one begins. Of two that go to the same place, one is under way at most.

    `secret` is what opens the place, sealed (`app/sealing.py`). The database itself sees that no row that is over has one.
    """

    __tablename__ = "publication"
    __table_args__ = (
        CheckConstraint("kind IN ('hub', 's3')", name="kind"),
        CheckConstraint(
            "state IN ('queued', 'running', 'cancelling', 'cancelled', 'failed', 'finished')", name="state"
        ),
        CheckConstraint("(checkpoint_id IS NULL) <> (dataset_id IS NULL)", name="one_subject"),
        CheckConstraint("secret IS NULL OR state IN ('queued', 'running', 'cancelling')", name="no_secret_left"),
        Index(
            "uq_publication_place_under_way",
            "kind",
            "endpoint",
            "place",
            unique=True,
            postgresql_where=text("state IN ('queued', 'running', 'cancelling')"),
        ),
    )

    id: Mapped[RowId]
    checkpoint_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoint.id"), index=True)
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"), index=True)
    kind: Mapped[str]
    endpoint: Mapped[str]
    place: Mapped[str]
    options: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    secret: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    in_vain: Mapped[int] = mapped_column(server_default=text("0"))
    most_files: Mapped[int] = mapped_column(server_default=text("0"))
    lease_until: Mapped[datetime | None]
    waiting_since: Mapped[CreatedAt]
    not_before: Mapped[datetime | None]
    paths: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    n_bytes: Mapped[int]
    done_files: Mapped[int] = mapped_column(server_default=text("0"))
    done_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    doing: Mapped[str] = mapped_column(server_default=text("''"))
    error: Mapped[str | None]
    address: Mapped[str | None]
    commit: Mapped[str | None]
    created_by: Mapped[int] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
