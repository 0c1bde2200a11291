"""What is asked for when a webhook is made or changed, checked. Pure but for the name, which is resolved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import BadInput
from app.language import gettext as _
from app.models import Webhook
from app.models.webhook import EVENTS, PLACE_EVENTS
from app.settings import get_settings
from app.webhooks import targets
from app.webhooks.counting import EVENT as REACHED

LONGEST_NAME = 100
MOST_COUNTS = 20
LEAST_EVERY = 10
LARGEST_COUNT = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`judgment_counts` and `judgments_every` say at which numbers of judgments `judgments.reached` is told."""

    url: str
    events: Sequence[str]
    name: str = ""
    judgment_counts: Sequence[int] = ()
    judgments_every: int | None = None

    @classmethod
    def of(cls, webhook: Webhook) -> "Order":
        return cls(**{name: getattr(webhook, name) for name in cls.__slots__})

    def as_columns(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "events": list(self.events),
            "name": self.name,
            "judgment_counts": list(self.judgment_counts),
            "judgments_every": self.judgments_every,
        }


def checked(order: Order, *, of_project: bool, resolves: bool = True) -> Order:
    """The order in the one spelling that is stored. Raises BadInput that names the field.

    `resolves` is False for a change that leaves the address as it was: a name that cannot be found right now is no
    reason to refuse another name or event. Each delivery looks again in any case.
    """
    name = " ".join(order.name.replace("\0", "").split())
    if len(name) > LONGEST_NAME:
        raise BadInput(_("A name has %(n)d characters at most.", n=LONGEST_NAME), field="name")
    events = _events(order.events, of_project=of_project)
    counts, every = _counts(order, events)
    url = order.url.strip()
    if resolves:
        targets.check(url, get_settings().webhook_networks)
    return Order(url=url, events=events, name=name, judgment_counts=counts, judgments_every=every)


def _events(given: Collection[str], *, of_project: bool) -> list[str]:
    unknown = sorted(set(given) - set(EVENTS))
    if unknown or not given:
        raise BadInput(
            _("Name one event or more, of these: %(known)s.", known=", ".join(EVENTS)),
            field="events",
        )
    if of_project and (beyond := sorted(set(given) & set(PLACE_EVENTS))):
        raise BadInput(
            _(
                "These events are told to webhooks of the whole place alone, which admins make: %(names)s.",
                names=", ".join(beyond),
            ),
            field="events",
        )
    return [event for event in EVENTS if event in given]


def _counts(order: Order, events: Collection[str]) -> tuple[list[int], int | None]:
    counts, every = sorted(set(order.judgment_counts)), order.judgments_every
    if len(counts) > MOST_COUNTS or any(not 1 <= count <= LARGEST_COUNT for count in counts):
        raise BadInput(
            _("Up to %(n)d numbers of judgments, each of them 1 or more.", n=MOST_COUNTS), field="judgment_counts"
        )
    if every is not None and not LEAST_EVERY <= every <= LARGEST_COUNT:
        raise BadInput(_("Every %(n)d judgments is the most often.", n=LEAST_EVERY), field="judgments_every")
    if REACHED in events and not counts and every is None:
        raise BadInput(
            _("Say at which numbers of judgments, or after every how many, it is to be told."), field="judgment_counts"
        )
    return (counts, every) if REACHED in events else ([], None)
