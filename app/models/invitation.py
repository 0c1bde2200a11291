from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, RowId, Table

ROLES = ("annotator", "manager", "admin")


class Invitation(Table):
    """A link by which somebody makes an account of their own, once, until it expires.

    `role` is what they become: annotator or manager of the project, or admin of this place, which needs no project. Only
    the link's hash is stored. `note` says for whom it was made, to those who made it.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint("role IN ('annotator', 'manager', 'admin')", name="role"),
        CheckConstraint("(role = 'admin') = (project_id IS NULL)", name="role_has_its_project"),
        Index("uq_invitation_token_hash", "token_hash", unique=True),
        Index("ix_invitation_project_id", "project_id"),
    )

    id: Mapped[RowId]
    token_hash: Mapped[bytes]
    role: Mapped[str]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"))
    note: Mapped[str] = mapped_column(server_default=text("''"))
    invited_by: Mapped[int] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    revoked_at: Mapped[datetime | None]
