from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, RowId, Table


class Delivery(Table):
    """One thing that happened, to be told to one webhook: written in the transaction of the thing itself.

    Triggers on `dataset`, `run` and `checkpoint` write it (`migrations/`): a run ends in many places of two programs, and none of
    them can forget it, tell of what is rolled back, or lose what is committed.
    waiting → delivered | given_up. Whoever takes it to send it moves `due_at` on by a minute, so that it is due again should
    that process die; what they note names the number of `attempts`. `tries` are those since it was last sent by hand.
    `by_hand`: somebody wants it sent although the webhook is paused or off.
    `message_id` is what the receiver knows it by: the same in every attempt. `error` is the name of what went wrong in the last
    attempt, put in words by `webhooks/words.py`.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name="state"),
        Index("ix_delivery_due", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_delivery_webhook_id", "webhook_id", "id"),
    )

    id: Mapped[RowId]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    # As Postgres itself spells it: two that are random cannot be compared by their values.
    message_id: Mapped[str] = mapped_column(
        server_default=text("('msg_'::text || replace((gen_random_uuid())::text, '-'::text, ''::text))")
    )
    event: Mapped[str]
    data: Mapped[Json]
    happened_at: Mapped[CreatedAt]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    by_hand: Mapped[bool] = mapped_column(server_default=text("false"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[CreatedAt]
    attempted_at: Mapped[datetime | None]
    status_code: Mapped[int | None]
    duration_ms: Mapped[int | None]
    error: Mapped[str] = mapped_column(server_default=text("''"))
    error_detail: Mapped[str] = mapped_column(server_default=text("''"))
