from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, RowId, Table

PROJECT_EVENTS = ("judgments.reached", "dataset.ready")
PLACE_EVENTS = ("run.finished", "run.failed", "run.cancelled", "checkpoint.published")
"""Runs and checkpoints are the admins' business, whatever project they come from."""
EVENTS = (*PROJECT_EVENTS, *PLACE_EVENTS)
TEST = "webhook.test"


class Webhook(Table):
    """An address that is told what happens: in one project, or, without one, in the whole place.

    active ⇄ paused by a person, active → off by us with the reason (`gone`, `failing`, `owner`). What happens while it is not
    active waits in its deliveries. `owner_id` made it or switched it on last; it is told what that person may know, so it is
    switched off when they may no longer know it.

    `secret` signs what is sent, so it is kept as it is: a hash could check a secret that somebody shows, but cannot sign, and
    there is no other key here that it could be locked with. Whoever reads the database or a backup can sign in its name.
    `old_secret` signs too until its time is over, so that receivers can change over without losing anything.
    `failing_since` is when the first delivery failed after which none has arrived.
    """

    __tablename__ = "webhook"
    __table_args__ = (CheckConstraint("state IN ('active', 'paused', 'off')", name="state"),)

    id: Mapped[RowId]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"), index=True)
    name: Mapped[str] = mapped_column(server_default=text("''"))
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    judgment_counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    judgments_every: Mapped[int | None]
    state: Mapped[str] = mapped_column(server_default=text("'active'"))
    off_reason: Mapped[str] = mapped_column(server_default=text("''"))
    secret: Mapped[bytes]
    old_secret: Mapped[bytes | None]
    old_secret_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[CreatedAt]
