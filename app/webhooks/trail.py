"""What is done to webhooks, in the audit: under the name of its project, whose history tells it, or under words that name none."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Audit, Project, Webhook

PLACE = "the whole place"
"""No project can be called so."""


def trace(session: Session, action: str, webhook_id: int, *, by: int | None = None, **detail: Any) -> None:
    """`by` is None for what happens by itself. Of an address only its server is ever told: the rest may be a secret."""
    of_project = select(Project.slug).join(Webhook, Webhook.project_id == Project.id).where(Webhook.id == webhook_id)
    subject = session.scalar(of_project) or PLACE
    session.add(Audit(user_id=by, action=action, subject=subject, detail={"webhook": webhook_id, **detail}))
