from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table


class Trainer(Table):
    """One live training worker: its device and the methods it can run, with their settings. The launch form is
    drawn from these rows; `last_seen_at` says whether to believe them, `usage` what its machine has and has free now.
    """

    __tablename__ = "trainer"
    __table_args__ = (Index("uq_trainer_name", "name", unique=True),)

    id: Mapped[RowId]
    name: Mapped[str]
    device: Mapped[str]
    methods: Mapped[list[Json]]
    versions: Mapped[Json]
    usage: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    started_at: Mapped[CreatedAt]
    last_seen_at: Mapped[datetime]
