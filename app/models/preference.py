from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import RowId, Table


class Preference(Table):
    """One (x, a⁺, a⁻), written in its judgment's own transaction; `group` in exports is the item.

    A revision's tuples replace the old ones, which stay with `is_current` false. Project, item and prompt are copies of
    what the judgment's assignment says: they have no foreign keys of their own.
    """

    __tablename__ = "preference"
    __table_args__ = (
        CheckConstraint("chosen_id <> rejected_id", name="chosen_is_not_rejected"),
        Index("uq_preference_tuple", "judgment_id", "chosen_id", "rejected_id", unique=True),
        Index("ix_preference_project_id", "project_id", "id", postgresql_where=text("is_current")),
    )

    id: Mapped[RowId]
    project_id: Mapped[int]
    judgment_id: Mapped[int] = mapped_column(ForeignKey("judgment.id"))
    item_id: Mapped[int]
    prompt_id: Mapped[int]
    chosen_id: Mapped[UUID] = mapped_column(ForeignKey("response.id"))
    rejected_id: Mapped[UUID] = mapped_column(ForeignKey("response.id"))
    margin: Mapped[float | None]
    is_current: Mapped[bool] = mapped_column(server_default=text("true"))
