from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Table


class CheckpointAlias(Table):
    """A word that stands for one version of a name, such as `production`: moved by people, recorded in `audit`.

    The key says that a word of a name means one version at a time, the foreign key that it is a version of that name.
    """

    __tablename__ = "checkpoint_alias"
    __table_args__ = (ForeignKeyConstraint(["name", "version"], ["checkpoint.name", "checkpoint.version"]),)

    name: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    moved_by: Mapped[int] = mapped_column(ForeignKey("user.id"))
    moved_at: Mapped[CreatedAt]
