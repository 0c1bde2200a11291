"""Webhooks for programs: make one, change it, see what became of its deliveries, send them again."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access import MayAdminister, MayRead
from app.db import SessionDep
from app.forms import RowNumber
from app.idempotency import once
from app.keyset import Paging
from app.models import Delivery
from app.pages import shown_once
from app.projects.queries import managed_project
from app.webhooks import queries, service, words
from app.webhooks.order import LARGEST_COUNT, Order
from app.webhooks.queries import Listed

router = APIRouter(tags=["webhooks"])

Url = Annotated[str, Field(max_length=2000, description="https:// or http://, at a public address.")]
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]


class NewWebhook(BaseModel):
    """`project` is its short name; null is the whole place, for admins. Counts are those of `judgments.reached`."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    events: list[str]
    project: str | None = None
    name: str = ""
    judgment_counts: list[Count] = []
    judgments_every: Count | None = None


class ChangedWebhook(BaseModel):
    """What is left out stays as it is. `state` is `active` or `paused`."""

    model_config = ConfigDict(extra="forbid")

    url: Url = ""
    events: list[str] = []
    name: str = ""
    judgment_counts: list[Count] = []
    judgments_every: Count | None = None
    state: Literal["active", "paused"] = "active"


class WebhookAnswer(BaseModel):
    """`off` is why it was switched off by itself, empty otherwise. `waiting` and `given_up` count its deliveries."""

    id: int
    project: str | None
    name: str
    url: str
    events: list[str]
    judgment_counts: list[int]
    judgments_every: int | None
    state: str
    off: str
    failing_since: datetime | None
    old_secret_until: datetime | None
    owner: str
    created_at: datetime
    waiting: int
    given_up: int


class MadeWebhook(WebhookAnswer):
    """`secret` is told this once."""

    secret: str


class NewSecret(BaseModel):
    """For how many hours messages are signed with the old secret as well: 0 for one that leaked."""

    model_config = ConfigDict(extra="forbid")

    old_hours: Annotated[int, Field(ge=0, le=service.LONGEST_OLD_SECRET_HOURS)] = service.OLD_SECRET_HOURS


class SecretAnswer(BaseModel):
    secret: str


class DeliveryAnswer(BaseModel):
    """`message_id` is the `webhook-id` of every attempt. `next_attempt_at` is null for what waits no more."""

    id: int
    message_id: str
    event: str
    data: dict[str, object]
    happened_at: datetime
    state: str
    attempts: int
    attempted_at: datetime | None
    next_attempt_at: datetime | None
    status_code: int | None
    duration_ms: int | None
    error: str


class SentAgain(BaseModel):
    deliveries: int


def answer(listed: Listed) -> WebhookAnswer:
    hook = listed.webhook
    return WebhookAnswer(
        id=hook.id,
        project=listed.project,
        name=hook.name,
        url=hook.url,
        events=hook.events,
        judgment_counts=hook.judgment_counts,
        judgments_every=hook.judgments_every,
        state=hook.state,
        off=words.off_words(hook),
        failing_since=hook.failing_since,
        old_secret_until=hook.old_secret_until,
        owner=listed.owner,
        created_at=hook.created_at,
        waiting=listed.waiting,
        given_up=listed.given_up,
    )


def delivery_answer(row: Delivery) -> DeliveryAnswer:
    return DeliveryAnswer(
        id=row.id,
        message_id=row.message_id,
        event=row.event,
        data=row.data,
        happened_at=row.happened_at,
        state=row.state,
        attempts=row.attempts,
        attempted_at=row.attempted_at,
        next_attempt_at=row.due_at if row.state == "waiting" else None,
        status_code=row.status_code,
        duration_ms=row.duration_ms,
        error=words.error_words(row),
    )


@router.get("/webhooks")
def list_webhooks(
    person: MayRead,
    session: SessionDep,
    paging: Paging,
    project: str | None = None,
) -> list[WebhookAnswer]:
    """List webhooks, newest first: all of them for an admin, otherwise those of the projects that one manages."""
    of = managed_project(session, person, project) if project is not None else None
    found = queries.webhooks_page(session, person, project=of, after=paging.after, limit=paging.limit)
    rows = paging.cut(found, key=lambda row: row.webhook.id)
    return [answer(row) for row in rows]


@router.post("/webhooks", status_code=201)
@once
def make_webhook(new: NewWebhook, person: MayAdminister, session: SessionDep, response: Response) -> MadeWebhook:
    """Have an address told what happens in a project, or in the whole place. The answer holds its secret, once."""
    project = managed_project(session, person, new.project) if new.project is not None else None
    made = service.make_webhook(session, person, project, Order(**new.model_dump(exclude={"project"})))
    shown_once(response)
    told = answer(queries.listed_webhook(session, person, made.webhook.id))
    return MadeWebhook(**told.model_dump(), secret=made.secret)


@router.get("/webhooks/{webhook_id}")
def show_webhook(webhook_id: RowNumber, person: MayRead, session: SessionDep) -> WebhookAnswer:
    """Show one webhook, without its secret: that was told once."""
    return answer(queries.listed_webhook(session, person, webhook_id))


@router.patch("/webhooks/{webhook_id}")
def change_webhook(
    webhook_id: RowNumber, change: ChangedWebhook, person: MayAdminister, session: SessionDep
) -> WebhookAnswer:
    """Change what a webhook is told or where, pause it, or activate it; whoever activates it is its owner from then on."""
    webhook = queries.webhook_for(session, person, webhook_id)
    given = change.model_dump(exclude_unset=True)
    state = given.pop("state", None)
    if given:
        service.change_webhook(session, person, webhook, **given)
    if state is not None:
        (service.activate if state == "active" else service.pause)(session, person, webhook)
    return answer(queries.listed_webhook(session, person, webhook_id))


@router.delete("/webhooks/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: RowNumber, person: MayAdminister, session: SessionDep) -> None:
    """Delete a webhook with its deliveries. Pausing keeps them."""
    service.delete_webhook(session, person, queries.webhook_for(session, person, webhook_id))


@router.post("/webhooks/{webhook_id}/secret", status_code=201)
@once
def rotate_secret(
    webhook_id: RowNumber, person: MayAdminister, session: SessionDep, response: Response, new: NewSecret | None = None
) -> SecretAnswer:
    """Give a webhook a new secret, told this once; the old one signs too for as many hours as are named."""
    webhook = queries.webhook_for(session, person, webhook_id)
    hours = (new or NewSecret()).old_hours
    shown_once(response)
    return SecretAnswer(secret=service.rotate_secret(session, person, webhook, old_hours=hours))


@router.post("/webhooks/{webhook_id}/test", status_code=202)
@once
def send_test(webhook_id: RowNumber, person: MayAdminister, session: SessionDep) -> DeliveryAnswer:
    """Send `webhook.test` once, whatever its state; the delivery says within seconds what became of it."""
    webhook = queries.webhook_for(session, person, webhook_id)
    return delivery_answer(service.send_test(session, person, webhook))


@router.get("/webhooks/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: RowNumber,
    person: MayRead,
    session: SessionDep,
    paging: Paging,
    state: Annotated[Literal["waiting", "delivered", "given_up"] | None, Query()] = None,
) -> list[DeliveryAnswer]:
    """List what a webhook was told or is to be told, newest first, for a month."""
    webhook = queries.webhook_for(session, person, webhook_id)
    found = queries.deliveries_page(session, webhook, state=state, after=paging.after, limit=paging.limit)
    rows = paging.cut(found, key=lambda row: row.id)
    return [delivery_answer(row) for row in rows]


@router.get("/webhooks/{webhook_id}/deliveries/{delivery_id}")
def show_delivery(
    webhook_id: RowNumber, delivery_id: RowNumber, person: MayRead, session: SessionDep
) -> DeliveryAnswer:
    """Show one delivery, as it stands now."""
    webhook = queries.webhook_for(session, person, webhook_id)
    return delivery_answer(queries.delivery_of(session, webhook, delivery_id))


@router.post("/webhooks/{webhook_id}/deliveries/send", status_code=202)
@once
def send_given_up(webhook_id: RowNumber, person: MayAdminister, session: SessionDep) -> SentAgain:
    """Send all deliveries again that were given up, for a receiver that is there again."""
    webhook = queries.webhook_for(session, person, webhook_id)
    return SentAgain(deliveries=service.send_given_up(session, person, webhook))


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/send", status_code=202)
@once
def send_again(
    webhook_id: RowNumber, delivery_id: RowNumber, person: MayAdminister, session: SessionDep
) -> DeliveryAnswer:
    """Send one delivery again, whatever became of it: the same message with the same id."""
    webhook = queries.webhook_for(session, person, webhook_id)
    delivery = queries.delivery_of(session, webhook, delivery_id)
    return delivery_answer(service.send_again(session, person, webhook, delivery))
