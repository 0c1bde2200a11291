from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Domain, RowId, Table

STATES = ("open", "done", "expired", "released")
REASONS = ("random", "imported", "priority", "urgent", "reserved", "gold", "training", "repeat", "file")


class Assignment(Table):
    """One judge's turn at one item: what was shown in which order, and until when the slot is theirs.

    open → done (judged) | expired (the lease ran out; the slot went back) | released (given back).
    Work that arrives after the lease still makes it done. There is one assignment per item and judge for ever: one that
    expired or was released is opened again in place. `shown_order` is drawn on the server from `seed` and stored, so it
    is stable over reloads. `reason` says why this item was shown to this person: the project's order, or what went before
    it; `file` for a judgment that a file brought.

    `project_id` is a copy of the item's, for indexes, and has no foreign key of its own. Here, in judgments and in
    preferences each check of a key locks the row that it points to; all who judge in a project would meet at the
    project's one row, several times for each key they press.
    """

    __tablename__ = "assignment"
    __table_args__ = (
        Index("uq_assignment_item_id_user_id", "item_id", "user_id", unique=True),
        Index("ix_assignment_open", "project_id", "user_id", postgresql_where=text("state = 'open'")),
        Index("ix_assignment_expiry", "expires_at", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[RowId]
    project_id: Mapped[int]
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    state: Mapped[str] = mapped_column(Domain("assignment_state"), default="open")
    reason: Mapped[str] = mapped_column(Domain("assignment_reason"), server_default=text("'random'"))
    seed: Mapped[int]
    shown_order: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)))
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
