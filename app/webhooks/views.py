"""Pages: the webhooks, one of them with what became of its deliveries, and the form that makes or changes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Manager, Person
from app.db import SessionDep
from app.errors import Mistake
from app.forms import Lists, RowNumber, Typed, last
from app.keyset import After, cut
from app.language import gettext as _
from app.language import ngettext
from app.models import Delivery, Project
from app.models.webhook import EVENTS, PROJECT_EVENTS
from app.pages import Page, go_to, render, shown_once
from app.projects.queries import managed_project, managed_projects
from app.webhooks import queries, service, words
from app.webhooks.events import place, subject
from app.webhooks.form import read, typed_of
from app.webhooks.queries import Listed
from app.webhooks.sending import url_host

router = APIRouter()
SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class WebhooksPage(Page):
    """`servers` are the names to call those by that have none."""

    webhooks: Sequence[Listed]
    servers: Mapping[int, str]
    event_words: Mapping[str, str]
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class FormPage(Page):
    """`listed` is None for a new one. What was typed stays beside the mistake."""

    listed: Listed | None
    projects: Sequence[Project]
    typed: Typed
    events: Sequence[str]
    event_words: Mapping[str, str]
    mistake: Mistake | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery; what it is about and where that is; what went wrong with it, in words."""

    delivery: Delivery
    subject: str
    place: str
    error: str

    @property
    def count(self) -> int | None:
        return self.delivery.data.get("count")


@dataclass(frozen=True, kw_only=True)
class DeliveriesPage(Page):
    """`again_in_s` is when to ask again; None when nothing waits."""

    listed: Listed
    deliveries: Sequence[Told]
    again_in_s: int | None
    event_words: Mapping[str, str]
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class WebhookPage(DeliveriesPage):
    """`secret` is shown this once."""

    server: str
    off: str
    secret: str = ""
    old_hours: int = service.OLD_SECRET_HOURS


def deliveries_page(session: Session, person: Person, webhook_id: int, after: int | None = None) -> dict[str, Any]:
    listed = queries.listed_webhook(session, person, webhook_id)
    page = cut(
        queries.deliveries_page(session, listed.webhook, after=after, limit=SHOWN), SHOWN, key=lambda row: row.id
    )
    return {
        "person": person,
        "listed": listed,
        "deliveries": [Told(row, subject(row), place(row), words.error_words(row)) for row in page.rows],
        "again_in_s": again_in_s(page.rows) if after is None else None,
        "event_words": words.event_words(),
        "next_after": page.next_after,
    }


def again_in_s(rows: Sequence[Delivery]) -> int | None:
    """Soon while something is on its way for the first time, or because somebody asked for it."""
    waiting = [row for row in rows if row.state == "waiting"]
    if not waiting:
        return None
    return 3 if any(row.by_hand or not row.attempts for row in waiting) else 30


def webhook_page(
    session: Session, person: Person, webhook_id: int, *, after: int | None = None, secret: str = ""
) -> WebhookPage:
    told = deliveries_page(session, person, webhook_id, after)
    hook = told["listed"].webhook
    return WebhookPage(**told, server=url_host(hook.url), off=words.off_words(hook), secret=secret)


def form_page(
    session: Session, person: Person, typed: Typed, *, listed: Listed | None = None, mistake: Mistake | None = None
) -> FormPage:
    of_place = person.is_admin and (listed is None or listed.project is None)
    return FormPage(
        person=person,
        listed=listed,
        projects=managed_projects(session, person),
        typed=typed,
        events=EVENTS if of_place else PROJECT_EVENTS,
        event_words=words.event_words(),
        mistake=mistake,
    )


@router.get("/webhooks")
def webhooks(request: Request, session: SessionDep, person: Manager, after: After = None) -> Response:
    rows = queries.webhooks_page(session, person, after=after, limit=SHOWN)
    page = cut(rows, SHOWN, key=lambda row: row.webhook.id)
    shown = WebhooksPage(
        person=person,
        webhooks=page.rows,
        servers={row.webhook.id: url_host(row.webhook.url) for row in page.rows},
        event_words=words.event_words(),
        next_after=page.next_after,
    )
    return render(request, "webhooks/webhooks.html", shown)


@router.get("/webhooks/new")
def new_webhook(request: Request, session: SessionDep, person: Manager, project: str = "") -> Response:
    """`project` is chosen already when one comes from its page."""
    return render(request, "webhooks/webhook_form.html", form_page(session, person, {"project": [project]}))


@router.post("/webhooks")
def make_webhook(request: Request, session: SessionDep, person: Manager, typed: Lists) -> Response:
    slug = last(typed, "project")
    try:
        project = managed_project(session, person, slug) if slug else None
        made = service.make_webhook(session, person, project, read(typed))
    except Mistake as mistake:
        page = form_page(session, person, typed, mistake=mistake)
        return render(request, "webhooks/webhook_form.html", page, status=422)
    page_of_it = webhook_page(session, person, made.webhook.id, secret=made.secret)
    return shown_once(render(request, "webhooks/webhook.html", page_of_it))


@router.get("/webhooks/{webhook_id}")
def webhook(
    webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager, after: After = None
) -> Response:
    return render(request, "webhooks/webhook.html", webhook_page(session, person, webhook_id, after=after))


@router.get("/webhooks/{webhook_id}/deliveries")
def deliveries(webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager) -> Response:
    """A fragment of the page above: the newest deliveries. Asked again while something is on its way."""
    page = DeliveriesPage(**deliveries_page(session, person, webhook_id))
    return render(request, "webhooks/_deliveries.html", page)


@router.get("/webhooks/{webhook_id}/change")
def change(webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager) -> Response:
    listed = queries.listed_webhook(session, person, webhook_id)
    page = form_page(session, person, typed_of(listed.webhook), listed=listed)
    return render(request, "webhooks/webhook_form.html", page)


@router.post("/webhooks/{webhook_id}/change")
def change_webhook(
    webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager, typed: Lists
) -> Response:
    listed = queries.listed_webhook(session, person, webhook_id)
    try:
        service.change_webhook(session, person, listed.webhook, **read(typed).as_columns())
    except Mistake as mistake:
        page = form_page(session, person, typed, listed=listed, mistake=mistake)
        return render(request, "webhooks/webhook_form.html", page, status=422)
    return go_to(request, f"/webhooks/{webhook_id}", notice=_("It is changed."))


@router.post("/webhooks/{webhook_id}/state")
def change_state(
    webhook_id: RowNumber,
    request: Request,
    session: SessionDep,
    person: Manager,
    state: Annotated[str, Form()] = "paused",
) -> Response:
    hook = queries.webhook_for(session, person, webhook_id)
    (service.activate if state == "active" else service.pause)(session, person, hook)
    notice = _("It is active; what waited is sent.") if state == "active" else _("It is paused; what happens waits.")
    return go_to(request, f"/webhooks/{webhook_id}", notice=notice)


@router.post("/webhooks/{webhook_id}/delete")
def delete_webhook(webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager) -> Response:
    service.delete_webhook(session, person, queries.webhook_for(session, person, webhook_id))
    return go_to(request, "/webhooks", notice=_("The webhook is deleted."))


@router.get("/webhooks/{webhook_id}/secret")
def secret_before(webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager) -> Response:
    """The address of a secret that was shown once, opened again: the way back to the page."""
    return go_to(request, f"/webhooks/{queries.webhook_for(session, person, webhook_id).id}")


@router.post("/webhooks/{webhook_id}/secret")
def rotate_secret(
    webhook_id: RowNumber,
    request: Request,
    session: SessionDep,
    person: Manager,
    old_hours: Annotated[int, Form(ge=0, le=service.LONGEST_OLD_SECRET_HOURS)] = service.OLD_SECRET_HOURS,
) -> Response:
    hook = queries.webhook_for(session, person, webhook_id)
    secret = service.rotate_secret(session, person, hook, old_hours=old_hours)
    return shown_once(render(request, "webhooks/webhook.html", webhook_page(session, person, hook.id, secret=secret)))


@router.post("/webhooks/{webhook_id}/test")
def send_test(webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager) -> Response:
    service.send_test(session, person, queries.webhook_for(session, person, webhook_id))
    return go_to(
        request, f"/webhooks/{webhook_id}", notice=_("A test is on its way; below it says what becomes of it.")
    )


@router.post("/webhooks/{webhook_id}/deliveries/send")
def send_given_up(webhook_id: RowNumber, request: Request, session: SessionDep, person: Manager) -> Response:
    count = service.send_given_up(session, person, queries.webhook_for(session, person, webhook_id))
    notice = ngettext("%(num)d delivery is tried again.", "%(num)d deliveries are tried again.", count)
    return go_to(request, f"/webhooks/{webhook_id}", notice=notice)


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/send")
def send_again(
    webhook_id: RowNumber, delivery_id: RowNumber, request: Request, session: SessionDep, person: Manager
) -> Response:
    hook = queries.webhook_for(session, person, webhook_id)
    service.send_again(session, person, hook, queries.delivery_of(session, hook, delivery_id))
    return go_to(request, f"/webhooks/{webhook_id}", notice=_("It is sent again, as the same message."))
