from datetime import datetime

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class WebhookCount(Table):
    """How many judgments a project had when a webhook's counts were last compared with it.

    `highest` is the most there have been, so that a count that is passed again after judgments were withdrawn is told once.
    `judgments` and `newest_id`, the newest judgment of all at that time, say how many more must come before the next look
    can find anything new.
    """

    __tablename__ = "webhook_count"

    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True, index=True)
    highest: Mapped[int] = mapped_column(server_default=text("0"))
    judgments: Mapped[int] = mapped_column(server_default=text("0"))
    newest_id: Mapped[int] = mapped_column(server_default=text("0"))
    looked_at: Mapped[datetime | None]
