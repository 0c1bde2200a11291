"""Webhooks that are there already, for stories that begin with one, and looks at what became of their deliveries."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update

from app.access import Person
from app.db import work_unit
from app.models import Delivery, Project, User, Webhook
from app.models.webhook import EVENTS, PROJECT_EVENTS
from app.webhooks import service
from app.webhooks.order import Order


def person(user: User) -> Person:
    return Person(user.id, user.name, user.role, leads=user.role != "admin")


def hook(user: User, url: str, *, project: Project | None = None, **asked: Any) -> Webhook:
    """For every event that it may be told, judgments by the hundred."""
    usual = {"events": PROJECT_EVENTS if project else EVENTS, "judgments_every": 100}
    with work_unit() as session:
        return service.make_webhook(session, person(user), project, Order(url=url, **(usual | asked))).webhook


def happened(webhook: Webhook, number: int = 1) -> list[int]:
    """So many datasets are ready, as far as this webhook is concerned; the ids of the deliveries."""
    with work_unit() as session:
        data = {"name": "words", "version": 1, "sha256": "0" * 64, "project": "words"}
        rows = [
            Delivery(webhook_id=webhook.id, event="dataset.ready", data=data | {"id": n + 1}) for n in range(number)
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def deliveries(webhook: Webhook) -> Sequence[Delivery]:
    with work_unit() as session:
        return session.scalars(select(Delivery).where(Delivery.webhook_id == webhook.id).order_by(Delivery.id)).all()


def delivery(delivery_id: int) -> Delivery:
    with work_unit() as session:
        return session.get_one(Delivery, delivery_id)


def webhook(webhook_id: int) -> Webhook:
    with work_unit() as session:
        return session.get_one(Webhook, webhook_id)


def wait_is_over(*, days: float = 0) -> None:
    """Whatever waits for its next attempt is due, and failures began so many days ago."""
    with work_unit() as session:
        session.execute(update(Delivery).where(Delivery.state == "waiting").values(due_at=func.now()))
        if days:
            since = func.now() - timedelta(days=days)
            session.execute(update(Webhook).where(Webhook.failing_since.is_not(None)).values(failing_since=since))


def seconds_between_attempts(row: Delivery) -> float:
    """From when the last one was begun to when the next is due: the wait, and what the last one took."""
    assert row.attempted_at
    return (row.due_at - row.attempted_at).total_seconds()
