from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Domain, Json, RowId, Table


class Judgment(Table):
    """What somebody decided: append-only. A revision is a new row; the newest of an assignment is current.

    `tiers` maps response ids (as text) to tiers; it holds ids, never positions. `counted` is false for work beyond the
    number wanted, which is kept with its tuples, and for a skip. Undo is a revision with `withdrawn` set, which is not
    current: after it nothing is.
    `dimensions` maps the name of a dimension to tiers of its own, {"honest": {response id: tier}}; `skip_reason` is why
    somebody skipped, in one of our words or their own.
    Project, item and user are copies of the assignment's, which has the foreign keys.
    `client_key` is the Idempotency-Key the judgment came with; a replay finds it and stores nothing.
    """

    __tablename__ = "judgment"
    __table_args__ = (
        CheckConstraint("strength BETWEEN 1 AND 3", name="strength"),
        CheckConstraint("revision >= 1", name="revision"),
        Index("uq_judgment_client_key", "assignment_id", "client_key", unique=True),
        Index("uq_judgment_current", "assignment_id", unique=True, postgresql_where=text("is_current")),
        Index("ix_judgment_item_id", "item_id"),
        Index("ix_judgment_project_id_user_id", "project_id", "user_id", "id"),
        # A few pages for a million rows, which lie in the order of their time: for what happened lately.
        Index("ix_judgment_created_at", "created_at", postgresql_using="brin"),
    )

    id: Mapped[RowId]
    project_id: Mapped[int]
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    item_id: Mapped[int]
    user_id: Mapped[int]
    judge_kind: Mapped[str] = mapped_column(Domain("judge_kind"))
    outcome: Mapped[str] = mapped_column(Domain("judgment_outcome"))
    tiers: Mapped[Json]
    dimensions: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    strength: Mapped[int | None]
    comment: Mapped[str] = mapped_column(server_default=text("''"))
    skip_reason: Mapped[str] = mapped_column(server_default=text("''"))
    duration_ms: Mapped[int | None]
    client_key: Mapped[str]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    is_current: Mapped[bool] = mapped_column(server_default=text("true"))
    withdrawn: Mapped[bool] = mapped_column(server_default=text("false"))
    counted: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[CreatedAt]
