"""Verbs on webhooks: make one, change it, pause it, give it another secret, send a test, send again.

Whoever may see a webhook may do all of it: admins everywhere, managers in their projects (`queries.visible`). Making one for the
whole place takes an admin, since runs and checkpoints are theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.access import Person
from app.doorbell import ring
from app.errors import Conflict, NotAllowed
from app.language import gettext as _
from app.models import Delivery, Project, Webhook
from app.models.webhook import TEST
from app.webhooks import counting, signature
from app.webhooks.delivering import JOB
from app.webhooks.order import Order, checked
from app.webhooks.sending import url_host
from app.webhooks.trail import trace

MOST_WEBHOOKS = 200
OLD_SECRET_HOURS = 24
LONGEST_OLD_SECRET_HOURS = 7 * 24


@dataclass(frozen=True, slots=True)
class Made:
    """`secret` is shown this once."""

    webhook: Webhook
    secret: str


def make_webhook(session: Session, person: Person, project: Project | None, order: Order) -> Made:
    """`project` is one that they manage, or None for the whole place. Raises BadInput that names the field."""
    if project is None and (person.projects is not None or not person.is_admin):
        raise NotAllowed(_("webhooks for the whole place are made by admins; name a project that you manage"))
    wanted = checked(order, of_project=project is not None)
    if (session.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST_WEBHOOKS:
        raise Conflict(_("There are %(n)d webhooks already; delete one that nobody needs.", n=MOST_WEBHOOKS))
    secret = signature.new_secret()
    webhook = Webhook(
        project_id=project.id if project else None, secret=secret, owner_id=person.id, **wanted.as_columns()
    )
    session.add(webhook)
    session.flush()  # its counts and the audit need its id
    session.refresh(webhook)
    counting.count_from_now(session, webhook)
    trace(session, "webhook.made", webhook.id, by=person.id, server=url_host(wanted.url), events=webhook.events)
    return Made(webhook, signature.shown(secret))


def change_webhook(session: Session, person: Person, webhook: Webhook, **given: Any) -> Webhook:
    """Change the fields of `Order` that are given. Raises BadInput that names the field.

    What waits already goes to the new address: it is where the receiver is now.
    """
    session.refresh(webhook, with_for_update=True)
    before = Order.of(webhook)
    resolves = given.get("url", before.url).strip() != before.url
    after = checked(replace(before, **given), of_project=webhook.project_id is not None, resolves=resolves)
    changed = [name for name, value in after.as_columns().items() if value != before.as_columns()[name]]
    for name in changed:
        setattr(webhook, name, after.as_columns()[name])
    if changed:
        session.flush()  # the counts are begun by what it asks for now
        if {"events", "judgment_counts", "judgments_every"} & set(changed):
            counting.count_from_now(session, webhook)
        trace(session, "webhook.changed", webhook.id, by=person.id, server=url_host(webhook.url), changed=changed)
    return webhook


def pause(session: Session, person: Person, webhook: Webhook) -> None:
    """Nothing is sent until it is activated; what happens meanwhile waits, for a month at most."""
    if _moved(session, webhook, Webhook.state == "active", state="paused"):
        trace(session, "webhook.paused", webhook.id, by=person.id)


def activate(session: Session, person: Person, webhook: Webhook) -> None:
    """Send again, what waited first. It belongs to whoever does this from here on."""
    fresh = {"state": "active", "off_reason": "", "failing_since": None, "owner_id": person.id}
    if _moved(session, webhook, Webhook.state != "active", **fresh):
        waiting = update(Delivery).where(Delivery.webhook_id == webhook.id, Delivery.state == "waiting")
        session.execute(waiting.values(due_at=func.now(), tries=0))
        trace(session, "webhook.activated", webhook.id, by=person.id)
        ring(session, JOB, webhook.id)


def _moved(session: Session, webhook: Webhook, condition: Any, **values: Any) -> bool:
    """Whether it was so that the change meant something; the row is as it is now in any case."""
    mine = update(Webhook).where(Webhook.id == webhook.id, condition).values(**values).returning(Webhook.id)
    found = session.execute(mine.execution_options(synchronize_session=False)).first()
    session.refresh(webhook)
    return found is not None


def delete_webhook(session: Session, person: Person, webhook: Webhook) -> None:
    """With what it was told and what waits in it; the audit remembers that it was there."""
    trace(session, "webhook.deleted", webhook.id, by=person.id, server=url_host(webhook.url))
    session.delete(webhook)


def rotate_secret(session: Session, person: Person, webhook: Webhook, *, old_hours: int = OLD_SECRET_HOURS) -> str:
    """A new secret, shown this once. Messages are signed with the old one too for so many hours, 0 for one that leaked."""
    session.refresh(webhook, with_for_update=True)
    fresh = signature.new_secret()
    webhook.old_secret = webhook.secret if old_hours else None
    webhook.old_secret_until = datetime.now(UTC) + timedelta(hours=old_hours) if old_hours else None
    webhook.secret = fresh
    trace(session, "webhook.secret_rotated", webhook.id, by=person.id, old_hours=old_hours)
    return signature.shown(fresh)


def send_test(session: Session, person: Person, webhook: Webhook) -> Delivery:
    """Tell it that this is a test, once, whatever its state; the delivery says what became of it."""
    slug = session.scalar(select(Project.slug).where(Project.id == webhook.project_id))
    data = {"id": webhook.id, "name": webhook.name, "project": slug}
    delivery = Delivery(webhook_id=webhook.id, event=TEST, data=data, by_hand=True)
    session.add(delivery)
    session.flush()  # its id goes through the doorbell
    session.refresh(delivery)
    trace(session, "webhook.tested", webhook.id, by=person.id)
    ring(session, JOB, delivery.id)
    return delivery


def send_again(session: Session, person: Person, webhook: Webhook, delivery: Delivery) -> Delivery:
    """Send a delivery now, whatever became of it and whatever the webhook's state: the same message with the same id."""
    _again(session, lambda rows: rows.where(Delivery.id == delivery.id), by_hand=True)
    session.refresh(delivery)
    trace(session, "webhook.sent_again", webhook.id, by=person.id, deliveries=1)
    ring(session, JOB, delivery.id)
    return delivery


def send_given_up(session: Session, person: Person, webhook: Webhook) -> int:
    """Try all again that were given up, tests left out; says how many. For a receiver that is there again."""
    given_up = (Delivery.webhook_id == webhook.id, Delivery.state == "given_up", Delivery.event != TEST)
    count = _again(session, lambda rows: rows.where(*given_up), by_hand=False)
    if count:
        trace(session, "webhook.sent_again", webhook.id, by=person.id, deliveries=count)
        ring(session, JOB, webhook.id)
    return count


def _again(session: Session, which: Callable[[Any], Any], *, by_hand: bool) -> int:
    fresh = {"state": "waiting", "due_at": func.now(), "tries": 0, "by_hand": by_hand}
    again = which(update(Delivery)).values(**fresh).returning(Delivery.id)
    return len(session.execute(again.execution_options(synchronize_session=False)).all())
