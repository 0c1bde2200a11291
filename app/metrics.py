"""`/metrics` for Prometheus: requests as each process saw them, and what rows and broker say at that moment.

Requests are counted by every web process for itself; with `PROMETHEUS_MULTIPROC_DIR` (which `tiebreak up`, `tiebreak web` and
the image set) they share a folder, so whichever process answers tells of all of them. What is in the database is asked when
somebody scrapes, and is the same wherever they ask. Scraping takes a token of an admin with the scope `read`.

A request's label is its route's pattern, never its path: there are as many series as routes, whatever strangers ask for.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import MayReadAll
from app.db import SessionDep
from app.doorbell import QUEUES, messages_waiting
from app.models import Delivery, Run, Trainer, Webhook
from app.models.run import STATES

API_PREFIX = "/api/v1"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
if os.environ.get(FOLDER):
    Path(os.environ[FOLDER]).mkdir(parents=True, exist_ok=True)

router = APIRouter(include_in_schema=False)
of_this_process = CollectorRegistry()
requests = Histogram(
    "tiebreak_request_seconds",
    "Requests by method, route and status, from their first byte to the last of the answer.",
    ["method", "route", "status"],
    buckets=BUCKETS_S,
    registry=of_this_process,
)


class Measured:
    """Middleware: how long each request took. Plain ASGI and one look into a dictionary, since every key press waits."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.known: dict[tuple[str, str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            seconds = time.perf_counter() - began
            method = scope["method"] if scope["method"] in _METHODS else "other"
            key = (method, _route(scope), status)
            row = self.known.get(key)
            if row is None:
                row = self.known[key] = requests.labels(method, key[1], str(status))
            row.observe(seconds)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(scope: Scope) -> str:
    """The pattern that matched, a mount's path, or nothing for an address that nobody serves.

    FastAPI names the route as its room declares it, so what all rooms of the API stand under is put before it again.
    """
    route = scope.get("route")
    if route is not None:
        return f"{API_PREFIX if scope['path'].startswith(API_PREFIX) else ''}{route.path}"
    return scope.get("root_path") or "none"


class Rows(Collector):
    """What the database and the broker say now. A broker that is away is left out: the rest is still worth knowing."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def collect(self) -> Iterator[Metric]:
        yield from self._runs()
        yield from self._trainers()
        yield from self._deliveries()
        judgments = CounterMetricFamily(
            "tiebreak_judgments", "Judgments stored, by the number of the newest: those rolled back count too."
        )
        judgments.add_metric([], self.session.scalar(text(_NEWEST_JUDGMENT)) or 0)
        yield judgments
        turns = GaugeMetricFamily("tiebreak_turns_open", "Turns that somebody holds and has not judged yet.")
        turns.add_metric([], self.session.scalar(text(_OPEN_TURNS)) or 0)
        yield turns
        yield from _queues()

    def _runs(self) -> Iterator[Metric]:
        counted = {
            row.state: row.n
            for row in self.session.execute(select(Run.state, func.count().label("n")).group_by(Run.state))
        }
        runs = GaugeMetricFamily("tiebreak_runs", "Runs by state.", labels=["state"])
        for state in STATES:
            runs.add_metric([state], counted.get(state, 0))
        yield runs
        waiting = select(func.extract("epoch", func.now() - func.min(Run.created_at))).where(Run.state == "queued")
        oldest = GaugeMetricFamily("tiebreak_run_waiting_seconds", "How long the oldest queued run has waited.")
        oldest.add_metric([], float(self.session.scalar(waiting) or 0))
        yield oldest

    def _trainers(self) -> Iterator[Metric]:
        since = func.extract("epoch", func.now() - Trainer.last_seen_at)
        seen = GaugeMetricFamily(
            "tiebreak_trainer_last_seen_seconds",
            "Seconds since each trainer was seen; one that lives is seen every ten.",
            labels=["trainer", "device"],
        )
        for name, device, seconds in self.session.execute(select(Trainer.name, Trainer.device, since)):
            seen.add_metric([name, device], float(seconds))
        yield seen

    def _deliveries(self) -> Iterator[Metric]:
        counted = dict(self.session.execute(_DELIVERIES).all())
        deliveries = GaugeMetricFamily(
            "tiebreak_deliveries", "Deliveries to webhooks by state, as far back as they are kept.", labels=["state"]
        )
        for state in DELIVERY_STATES:
            deliveries.add_metric([state], counted.get(state, 0))
        yield deliveries
        overdue = GaugeMetricFamily(
            "tiebreak_delivery_overdue_seconds", "For how long the oldest delivery that is due has not been sent."
        )
        overdue.add_metric([], float(self.session.scalar(_OVERDUE) or 0))
        yield overdue


DELIVERY_STATES = ("waiting", "delivered", "given_up")
_DELIVERIES = select(Delivery.state, func.count()).group_by(Delivery.state)
_OVERDUE = (
    select(func.extract("epoch", func.now() - func.min(Delivery.due_at)))
    .join(Webhook, Webhook.id == Delivery.webhook_id)
    .where(Delivery.state == "waiting", Delivery.due_at < func.now(), or_(Webhook.state == "active", Delivery.by_hand))
)
_NEWEST_JUDGMENT = """
    SELECT coalesce(last_value, 0) FROM pg_sequences
    WHERE schemaname || '.' || sequencename = pg_get_serial_sequence('judgment', 'id')
"""
_OPEN_TURNS = "SELECT count(*) FROM assignment WHERE state = 'open'"


def _queues() -> Iterator[Metric]:
    depth = GaugeMetricFamily("tiebreak_messages_waiting", "Messages that no worker has taken yet.", labels=["queue"])
    try:
        for queue in sorted(set(QUEUES.values())):
            depth.add_metric([queue], messages_waiting(queue))
    except Exception:  # noqa: BLE001 -- whatever the broker's driver raises: Redis, AMQP and files have their own
        return
    yield depth


@router.get("/metrics")
def metrics(_: MayReadAll, session: SessionDep) -> Response:
    """Everything above, in Prometheus' text format."""
    registry = of_this_process
    if os.environ.get(FOLDER):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # it ships without types
    rows = CollectorRegistry()
    rows.register(Rows(session))
    return Response(generate_latest(registry) + generate_latest(rows), media_type=CONTENT_TYPE_LATEST)
