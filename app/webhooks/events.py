"""What is told: the events, and the body of a message. Pure.

    {"type": "dataset.ready", "timestamp": "2026-11-25T16:09:00.120000Z",
     "data": {"url": "https://…/api/v1/datasets/3", "id": 3, "name": "words", …}}

The body is made from its row alone, so that every attempt sends the same. It says where the thing is in the API and the few
facts by which a program decides whether to ask; prompts, responses and what people wrote are never in it.
"""

from datetime import UTC, datetime
from typing import Any

import orjson

from app.models import Delivery
from app.models.webhook import EVENTS, TEST

_PLACES = {
    "judgments.reached": "/projects/{project}",
    "dataset.ready": "/datasets/{id}",
    "run.finished": "/runs/{id}",
    "run.failed": "/runs/{id}",
    "run.cancelled": "/runs/{id}",
    "checkpoint.published": "/checkpoints/{id}",
    TEST: "/webhooks/{id}",
}
assert set(_PLACES) == {*EVENTS, TEST}


def body(delivery: Delivery, address: str) -> bytes:
    """What is sent; `address` is where this place is found, without a slash at its end."""
    data: dict[str, Any] = {"url": f"{address}/api/v1{place(delivery)}", **delivery.data}
    told = {"type": delivery.event, "timestamp": rfc3339(delivery.happened_at), "data": data}
    return orjson.dumps(told)


def place(delivery: Delivery) -> str:
    """Where the thing is: below /api/v1 for programs, and at the same address for people."""
    return _PLACES[delivery.event].format(**delivery.data)


def subject(delivery: Delivery) -> str:
    """What the thing is called; empty for a test of a webhook without a name."""
    data = delivery.data
    if delivery.event == "judgments.reached":
        return str(data["project"])
    name = str(data.get("name") or data.get("checkpoint_name") or "")
    return f"{name} v{data['version']}" if "version" in data else name


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
