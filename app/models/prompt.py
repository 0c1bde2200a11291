from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table


class Prompt(Table):
    """A conversation that asks for a response: `messages` is [{role, content}, …], its hash is what splits go by.

    The record's own id and metadata stand on the item, not here: several records may ask about the same prompt.
    """

    __tablename__ = "prompt"
    __table_args__ = (Index("uq_prompt_project_id_content_hash", "project_id", "content_hash", unique=True),)

    id: Mapped[RowId]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    messages: Mapped[list[Json]]
    content_hash: Mapped[bytes]
    created_at: Mapped[CreatedAt]
