from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, Table


class Response(Table):
    """One answer to a prompt. Its id is random: a running number would tell which response a file named first."""

    __tablename__ = "response"
    __table_args__ = (
        Index("uq_response_prompt_id_content_hash", "prompt_id", "content_hash", unique=True),
        # what our own checkpoints wrote: few rows among many, looked for from the checkpoint's page
        Index("ix_response_by_checkpoint", "model", postgresql_where=text("model LIKE 'tiebreak/%'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    prompt_id: Mapped[int] = mapped_column(ForeignKey("prompt.id"))
    text: Mapped[str]
    model: Mapped[str | None]
    sampling: Mapped[Json | None]
    score: Mapped[float | None]
    content_hash: Mapped[bytes]
    created_at: Mapped[CreatedAt]
