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

    An item that is `set_aside` keeps its slots and is handed to nobody until it is re-opened; one that is `reserved_for`
    somebody is handed to them alone. `gold` is the right answer, {outcome, tiers}: such an item tells about whoever judges it
    and nothing about its responses, so it has no slots (`wanted` 0), is offered to everybody, and is left out of counts
    and datasets; with `is_training` it is shown first, with feedback. `repeat_of` names the item that the person it is
    reserved for has judged before; it has no slots and is left out as well. What is said about an item without slots is
    stored, not counted, and makes no tuples.
    """

    __tablename__ = "item"
    __table_args__ = (
        CheckConstraint("open_slots BETWEEN 0 AND wanted", name="open_slots"),
        Index("uq_item_project_id_content_hash", "project_id", "content_hash", unique=True),
        Index("uq_item_project_id_external_id", "project_id", "external_id", unique=True),
        CheckConstraint("(gold IS NULL AND repeat_of IS NULL) = (wanted > 0)", name="only_ordinary_items_have_slots"),
        CheckConstraint("gold IS NOT NULL OR NOT is_training", name="training_is_gold"),
        CheckConstraint("repeat_of IS NULL OR reserved_for IS NOT NULL", name="repeat_is_reserved"),
        Index(
            "ix_item_queue",
            "project_id",
            "priority",
            "id",
            postgresql_where=text("open_slots > 0 AND NOT set_aside AND reserved_for IS NULL"),
        ),
        Index(
            "ix_item_imported",
            "project_id",
            "created_at",
            "id",
            postgresql_where=text("open_slots > 0 AND NOT set_aside AND reserved_for IS NULL"),
        ),
        Index(
            "ix_item_reserved",
            "project_id",
            "reserved_for",
            "priority",
            "id",
            postgresql_where=text("open_slots > 0 AND NOT set_aside AND reserved_for IS NOT NULL"),
        ),
        Index("ix_item_gold", "project_id", "is_training", "id", postgresql_where=text("gold IS NOT NULL")),
        Index("ix_item_repeat_of", "repeat_of", postgresql_where=text("repeat_of IS NOT NULL")),
        Index("ix_item_prompt_id", "prompt_id"),
        Index("ix_item_set_aside", "project_id", postgresql_where=text("set_aside AND open_slots > 0")),
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
    set_aside: Mapped[bool] = mapped_column(server_default=text("false"))
    reserved_for: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    gold: Mapped[Json | None]
    is_training: Mapped[bool] = mapped_column(server_default=text("false"))
    repeat_of: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    created_at: Mapped[CreatedAt]
