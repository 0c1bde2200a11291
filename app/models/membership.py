from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Table

ROLES = ("annotator", "manager")


class Membership(Table):
    """Who may see and judge a project, and who manages it. Admins need none."""

    __tablename__ = "membership"
    __table_args__ = (CheckConstraint("role IN ('annotator', 'manager')", name="role"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(server_default=text("'annotator'"))
    created_at: Mapped[CreatedAt]
