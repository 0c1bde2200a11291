from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, RowId, Table

SCOPES = ("judge", "import", "export", "train", "read", "admin")


class ApiToken(Table):
    """A program's key: hashed, scoped, expiring. What it may do is its scopes within what its user may do.

    `project_ids` are the projects that it is bound to, None if it is not bound: an array, so that looking up a token reads one row.
    `last_used_at` is coarse: it moves once a minute at most.
    """

    __tablename__ = "api_token"
    __table_args__ = (
        Index("uq_api_token_token_hash", "token_hash", unique=True),
        CheckConstraint("cardinality(project_ids) > 0", name="bound_to_something"),
    )

    id: Mapped[RowId]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str]
    token_hash: Mapped[bytes]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    project_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    rate_limit: Mapped[int | None]  # requests a minute; the usual limit if none
    last_used_at: Mapped[datetime | None]
