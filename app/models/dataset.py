from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table


class Dataset(Table):
    """A frozen version: files in storage below `prefix`, each with its SHA-256; `sha256` is that of their list.

    The row is written after its files are whole, so it proves them. `settings` say how judgments became rows and which
    shapes the files have; `summary` holds what the page draws and what differs from the version before.
    """

    __tablename__ = "dataset"
    __table_args__ = (Index("uq_dataset_name_version", "name", "version", unique=True),)

    id: Mapped[RowId]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    name: Mapped[str]
    version: Mapped[int]
    filters: Mapped[Json]
    split: Mapped[Json]
    settings: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    counts: Mapped[Json]
    summary: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    sha256: Mapped[str]
    prefix: Mapped[str]
    files: Mapped[list[Json]]
    created_by: Mapped[int] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[CreatedAt]
