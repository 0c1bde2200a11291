from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table


class Item(Table):
    """A group to be judged: a prompt and `response_ids` in the order of the record that brought them.

    `open_slots` is how many more judgments may be claimed: wanted − live leases − counted judgments. It is taken when
    somebody claims, not when they submit, so that no item is ever judged more often than wanted. `priority` is random
    in [0, 1) at import: the queue reads an index in that order and never sorts. Below 0 is urgent.
    """

    __tablename__ = "item"
    __table_args__ = (
        CheckConstraint("open_slots BETWEEN 0 AND wanted", name="open_slots"),
        CheckConstraint("wanted >= 0", name="wanted"),
        Index("uq_item_project_id_content_hash", "project_id", "content_hash", unique=True),
        Index("uq_item_project_id_external_id", "project_id", "external_id", unique=True),
        Index("ix_item_queue", "project_id", "priority", "id", postgresql_where=text("open_slots > 0")),
        Index("ix_item_prompt_id", "prompt_id"),
    )

    id: Mapped[RowId]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    prompt_id: Mapped[int] = mapped_column(ForeignKey("prompt.id"))
    response_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)))
    content_hash: Mapped[bytes]
    external_id: Mapped[str | None]
    # `metadata` is SQLAlchemy's own name on a class
    record_metadata: Mapped[Json] = mapped_column("metadata", server_default=text("'{}'"))
    wanted: Mapped[int]
    open_slots: Mapped[int]
    priority: Mapped[float] = mapped_column(server_default=text("random()"))
    created_at: Mapped[CreatedAt]
