from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, RowId, Table

OUTCOMES = ("ranked", "tie", "all_bad", "skip")


class Project(Table):
    __tablename__ = "project"
    __table_args__ = (
        Index("uq_project_slug", "slug", unique=True),
        CheckConstraint("judgments_per_item BETWEEN 1 AND 1000", name="judgments_per_item"),
        CheckConstraint("lease_minutes BETWEEN 1 AND 10080", name="lease_minutes"),
    )

    id: Mapped[RowId]
    slug: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    guidelines: Mapped[str] = mapped_column(default="")
    judgments_per_item: Mapped[int] = mapped_column(default=1)
    lease_minutes: Mapped[int] = mapped_column(default=30)
    outcomes: Mapped[list[str]] = mapped_column(ARRAY(TEXT), default=lambda: list(OUTCOMES))
    created_at: Mapped[CreatedAt]
