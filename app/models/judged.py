from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class Judged(Table):
    """What somebody has judged in a project, added up to their judgment `newest` (`projects/tally.py`).

    `turns` are those judged as a person and in force, `ties` and `skips` among them; `counted` are counted judgments in
    force, whoever judged. `last` is when anything was written down as theirs.
    """

    __tablename__ = "judged"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    newest: Mapped[int]
    turns: Mapped[int]
    ties: Mapped[int]
    skips: Mapped[int]
    counted: Mapped[int]
    last: Mapped[datetime]
