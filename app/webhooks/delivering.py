"""The job of the room: send what is due. Rows decide what that is; a message only says that there is something.

    claim (one statement, which moves `due_at` on by a minute)  →  send, outside of any transaction  →  note

A process that dies in between has told nobody: a minute later the row is due again, and the receiver knows the message by its id.
A portion is small and sent all at once, so that slow receivers hold up the sweep, which shares the worker, by one deadline and
no more; one webhook has a few places in it, and one whose last delivery failed has one.
"""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from app.db import among, work_unit
from app.doorbell import ring_again
from app.models import Delivery, Webhook
from app.models.webhook import TEST
from app.settings import get_settings
from app.webhooks import events, signature
from app.webhooks.backoff import wait_s
from app.webhooks.ownership import switch_off_orphans
from app.webhooks.sending import WITHIN_S, Outcome, send
from app.webhooks.trail import trace

JOB = "webhooks.deliver"
PORTION = 16
LEASE_S = 60
KEPT_DAYS = 30
OFF_AFTER = timedelta(days=3)

_CLAIM = text(f"""
    UPDATE delivery SET attempts = attempts + 1, tries = tries + 1, attempted_at = now(),
        due_at = now() + interval '{LEASE_S} seconds'
    WHERE state = 'waiting' AND due_at <= now() AND id IN (
        SELECT id FROM (
            SELECT delivery.id, by_hand, due_at, failing_since,
                row_number() OVER (PARTITION BY webhook_id ORDER BY by_hand DESC, due_at, delivery.id) AS place
            FROM delivery JOIN webhook ON webhook.id = webhook_id
            WHERE delivery.state = 'waiting' AND due_at <= now() AND (webhook.state = 'active' OR by_hand)
        ) AS due
        WHERE place <= CASE WHEN failing_since IS NULL THEN 4 ELSE 1 END
        ORDER BY by_hand DESC, due_at, id LIMIT {PORTION}
    ) RETURNING id
""")  # noqa: S608 -- two numbers of this file


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours for a minute, with all that it takes to send it."""

    delivery: Delivery
    url: str
    keys: Sequence[bytes]


def send_due() -> int:
    """One portion of what is due now; says how many were sent, whatever became of them."""
    claimed = claim()
    if claimed:
        with ThreadPoolExecutor(len(claimed)) as pool:
            under_way = {pool.submit(_send, one): one for one in claimed}
            for done in as_completed(under_way):
                note(under_way[done].delivery, done.result())
    return len(claimed)


def claim() -> list[Claimed]:
    """Take a portion, of webhooks whose owners may still know what they are told. Nobody else gets these for a minute."""
    with work_unit() as session:
        switch_off_orphans(session)
        taken = session.scalars(_CLAIM).all()
        rows = session.execute(
            select(Delivery, Webhook, Webhook.old_secret_until > func.now())
            .join(Webhook, Webhook.id == Delivery.webhook_id)
            .where(among(Delivery.id, taken))
            .order_by(Delivery.id)
        )
        return [
            Claimed(delivery, hook.url, (hook.secret, hook.old_secret) if both and hook.old_secret else (hook.secret,))
            for delivery, hook, both in rows
        ]


def _send(one: Claimed) -> Outcome:
    body = events.body(one.delivery, get_settings().address)
    headers = signature.headers(one.keys, one.delivery.message_id, int(time.time()), body)
    return send(one.url, headers, body, get_settings().webhook_networks, within_s=WITHIN_S)


def note(delivery: Delivery, outcome: Outcome) -> None:
    """What became of an attempt; nothing is written when somebody else has begun another one since."""
    told: dict[str, Any] = {
        "status_code": outcome.status_code,
        "duration_ms": outcome.duration_ms,
        "error": outcome.error,
        "error_detail": outcome.detail.replace("\0", ""),
    }
    wait = None if delivery.event == TEST or outcome.error == "gone" else _wait(delivery, outcome)
    if outcome.arrived or wait is None:
        told |= {"state": "delivered" if outcome.arrived else "given_up", "by_hand": False}
    else:
        told["due_at"] = func.now() + timedelta(seconds=wait)
    with work_unit() as session:
        mine = (Delivery.id == delivery.id, Delivery.attempts == delivery.attempts, Delivery.state == "waiting")
        if session.scalar(update(Delivery).where(*mine).values(**told).returning(Delivery.id)) is not None:
            _note_webhook(session, delivery, outcome, is_over=wait is None)


def _wait(delivery: Delivery, outcome: Outcome) -> float | None:
    return wait_s(delivery.tries, random.random(), outcome.retry_after_s)  # noqa: S311 -- no secret


def _note_webhook(session: Session, delivery: Delivery, outcome: Outcome, *, is_over: bool) -> None:
    """Since when a webhook fails; it is switched off when its receiver wants no more, or when nothing arrives for days.

    Days alone would not do, since a webhook may be told something once a month: a delivery must have been given up as well.
    """
    hook = update(Webhook).where(Webhook.id == delivery.webhook_id).execution_options(synchronize_session=False)
    if outcome.arrived:
        session.execute(hook.where(Webhook.failing_since.is_not(None)).values(failing_since=None))
        return
    if delivery.event == TEST:
        return
    session.execute(hook.where(Webhook.failing_since.is_(None)).values(failing_since=func.now()))
    if not is_over:
        return
    reason = "gone" if outcome.error == "gone" else "failing"
    off = hook.where(Webhook.state == "active").values(state="off", off_reason=reason)
    if reason == "failing":
        off = off.where(Webhook.failing_since < func.now() - OFF_AFTER)
    for webhook_id in session.scalars(off.returning(Webhook.id)):
        trace(session, "webhook.switched_off", webhook_id, reason=reason)


def ring_for_due(session: Session) -> int:
    """Have the job look when something is due. One ring is enough: it takes a portion and rings again. For the sweep."""
    due = (
        select(Delivery.id)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(
            Delivery.state == "waiting", Delivery.due_at <= func.now(), (Webhook.state == "active") | Delivery.by_hand
        )
        .limit(1)
    )
    first = session.scalar(due)
    if first is not None:
        ring_again(session, JOB, [first])
    return 0


def forget_old(session: Session) -> int:
    """What happened a month ago, and what became of telling it. For the sweep."""
    old = select(Delivery.id).where(Delivery.happened_at < func.now() - timedelta(days=KEPT_DAYS)).limit(1000)
    return len(session.scalars(delete(Delivery).where(Delivery.id.in_(old)).returning(Delivery.id)).all())
