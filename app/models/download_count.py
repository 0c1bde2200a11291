from datetime import date

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import RowId, Table


class DownloadCount(Table):
    """How often a checkpoint or a dataset was downloaded on a day (UTC): one row for each that was at all."""

    __tablename__ = "download_count"
    __table_args__ = (
        CheckConstraint("num_nonnulls(checkpoint_id, dataset_id) = 1", name="one_subject"),
        Index("uq_download_count_checkpoint_id_day", "checkpoint_id", "day", unique=True),
        Index("uq_download_count_dataset_id_day", "dataset_id", "day", unique=True),
    )

    id: Mapped[RowId]
    checkpoint_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoint.id"))
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    day: Mapped[date] = mapped_column(Date)
    n: Mapped[int] = mapped_column(server_default=text("1"))
