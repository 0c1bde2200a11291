from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class ItemTotal(Table):
    """How many items a project has that want judgments, and how many they want. Triggers delete the row when that changes."""

    __tablename__ = "item_total"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True)
    items: Mapped[int]
    wanted: Mapped[int]
