"""The event that has no row of its own: a project has reached a number of judgments. Found by the sweep.

Nothing is asked while somebody judges. A project is only counted when enough judgments have come in anywhere for it to have
reached the next number (ids go up, `counts.may_be_passed`), and every five minutes, for what changes a count without a judgment.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.models import Delivery, Judgment, Project, Webhook, WebhookCount
from app.projects.queries import judgments_given
from app.webhooks.counts import following, may_be_passed, passed

EVENT = "judgments.reached"
LOOK_EVERY = timedelta(minutes=5)


def count_from_now(session: Session, webhook: Webhook) -> None:
    """Count from now on: numbers that were reached before this are no news."""
    if EVENT not in webhook.events:
        return
    wanted = (
        select(Project.id) if webhook.project_id is None else select(Project.id).where(Project.id == webhook.project_id)
    )
    ids = session.scalars(wanted).all()
    given = judgments_given(session, ids)
    rows = [{"webhook_id": webhook.id, "project_id": key, "highest": given.get(key, 0)} for key in ids]
    if rows:
        added = insert(WebhookCount).values(rows)
        highest = func.greatest(WebhookCount.highest, added.excluded.highest)
        session.execute(
            added.on_conflict_do_update(
                index_elements=["webhook_id", "project_id"], set_={"highest": highest, "looked_at": None}
            )
        )


def tell_counts(session: Session) -> int:
    """Write down each number that was reached since the last look; says how many. For the sweep."""
    _count_new_projects(session)
    newest = session.scalar(select(func.coalesce(func.max(Judgment.id), 0))) or 0
    rows = session.execute(
        select(WebhookCount, Webhook, Project.slug)
        .join(Webhook, Webhook.id == WebhookCount.webhook_id)
        .join(Project, Project.id == WebhookCount.project_id)
        .where(Webhook.events.contains([EVENT]))
        .order_by(WebhookCount.webhook_id, WebhookCount.project_id)
        .with_for_update(of=WebhookCount, skip_locked=True)
    ).all()
    looked = [(count, hook, slug) for count, hook, slug in rows if _is_worth_it(count, hook, newest)]
    given = judgments_given(session, {count.project_id for count, _hook, _slug in looked})
    return sum(_tell(session, count, hook, slug, given, newest) for count, hook, slug in looked)


def _count_new_projects(session: Session) -> None:
    """Of webhooks for the whole place: a project that was made since begins with no judgments."""
    missing = (
        select(Webhook.id, Project.id)
        .join(Project, or_(Webhook.project_id.is_(None), Webhook.project_id == Project.id))
        .where(
            Webhook.events.contains([EVENT]),
            ~select(WebhookCount.webhook_id)
            .where(WebhookCount.webhook_id == Webhook.id, WebhookCount.project_id == Project.id)
            .exists(),
        )
    )
    session.execute(insert(WebhookCount).from_select(["webhook_id", "project_id"], missing).on_conflict_do_nothing())


def _is_worth_it(count: WebhookCount, hook: Webhook, newest: int) -> bool:
    next_one = following(count.highest, hook.judgment_counts, hook.judgments_every)
    if next_one is None:
        return False
    if count.looked_at is None or count.looked_at < datetime.now(UTC) - LOOK_EVERY:
        return True
    return may_be_passed(next_one, count.judgments, newest - count.newest_id)


def _tell(session: Session, count: WebhookCount, hook: Webhook, slug: str, given: dict[int, int], newest: int) -> int:
    now = given.get(count.project_id, 0)
    reached = passed(count.highest, now, hook.judgment_counts, hook.judgments_every)
    for number in reached:
        data = {"project": slug, "count": number, "judgments": now}
        session.add(Delivery(webhook_id=hook.id, event=EVENT, data=data))
    count.highest = max(count.highest, now)
    count.judgments, count.newest_id, count.looked_at = now, newest, datetime.now(UTC)
    return len(reached)
