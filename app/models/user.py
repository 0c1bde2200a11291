from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, RowId, Table

ROLES = ("admin", "annotator")
JUDGE_KINDS = ("human", "imported", "rule", "model")


class User(Table):
    """Whoever judges. People sign in by address; judges of the other kinds belong to one project and cannot sign in.

    One table for all of them, so that an assignment points at its judge in one way whoever that is.
    """

    __tablename__ = "user"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'annotator')", name="role"),
        CheckConstraint("judge_kind IN ('human', 'imported', 'rule', 'model')", name="judge_kind"),
        CheckConstraint("(judge_kind = 'human') = (email IS NOT NULL)", name="people_have_addresses"),
        CheckConstraint("(judge_kind = 'human') = (project_id IS NULL)", name="other_judges_have_a_project"),
        UniqueConstraint("project_id", "judge_kind", "name"),
        Index("uq_user_email", "email", unique=True),
    )

    id: Mapped[RowId]
    email: Mapped[str | None]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    role: Mapped[str] = mapped_column(default="annotator")
    judge_kind: Mapped[str] = mapped_column(default="human")
    language: Mapped[str | None]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"))
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[datetime | None]
