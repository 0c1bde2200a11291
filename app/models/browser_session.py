from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, RowId, Table


class BrowserSession(Table):
    """A signed-in browser. Only the hash of the cookie is stored: a stolen table opens no door."""

    __tablename__ = "browser_session"
    __table_args__ = (Index("uq_browser_session_token_hash", "token_hash", unique=True),)

    id: Mapped[RowId]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    token_hash: Mapped[bytes]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
