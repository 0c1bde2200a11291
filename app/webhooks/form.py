"""The form that makes or changes a webhook: what was typed, read as an order."""

from collections.abc import Sequence
from typing import Any

from app.errors import BadInput
from app.forms import Typed, last
from app.language import gettext as _
from app.models import Webhook
from app.settings import comma_separated
from app.webhooks.order import Order


def read(typed: Typed) -> Order:
    """Raises BadInput that names the field."""
    every = last(typed, "judgments_every")
    return Order(
        url=last(typed, "url"),
        name=last(typed, "name"),
        events=list(typed.get("events", ())),
        judgment_counts=[_number(word, "judgment_counts") for word in comma_separated(last(typed, "judgment_counts"))],
        judgments_every=_number(every, "judgments_every") if every else None,
    )


def _number(words: str, field: str) -> int:
    """As people write large numbers: with spaces, points or apostrophes between the thousands."""
    digits = "".join(sign for sign in words if sign not in " .'’\u00a0\u202f")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise BadInput(_("please enter whole numbers, separated by commas, as 100, 500"), field=field)
    return int(digits)


def typed_of(webhook: Webhook) -> dict[str, Sequence[str]]:
    """What is in the form when an existing one is changed."""
    values: dict[str, Any] = Order.of(webhook).as_columns()
    return {
        "url": [values["url"]],
        "name": [values["name"]],
        "events": values["events"],
        "judgment_counts": [", ".join(str(count) for count in values["judgment_counts"])],
        "judgments_every": [str(values["judgments_every"] or "")],
    }
