"""Verbs on turns: take the next one, give it back, take back what was left lying.

A turn is a lease: claiming takes one of the item's open slots, so that no item is judged more often than wanted however
many people ask at once. For every item, at any time:

    open slots + open assignments + counted judgments = judgments wanted

Claiming is one function for all who ask. It holds no lock while a person thinks, and each of its guards is there for a
reason that is tested:

- The lock on (project, person) makes two tabs of one person see the same turn, instead of taking two.
- `SKIP LOCKED` lets 32 people claim at once without waiting for each other.
- The start is random, within the order that the index `ix_item_queue` has anyway: people do not crowd at its head, and
  nobody walks again and again past the many items they have judged, or past index entries that a long export keeps
  alive. Urgent items (priority below 0) come before all others, in their order.
- The slot is taken from the row that the assignment's insertion returns: no assignment, no slot lost.
- An item that somebody let expire comes back to them as the same assignment, in the same order.

The statements are SQL as text because their form is the point: each is one round trip, and locks are taken in the order
assignment, then item, everywhere but in the claim, which never waits for an item.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.models import Project

SWEEP_AT_ONCE = 1000
SEED_BITS = 63


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn at one item: what to show, in which order, and until when it is theirs.

    `responses` are (id, text); which model wrote them stays on the server until they are judged.
    """

    assignment_id: int
    item_id: int
    prompt: list[dict[str, str]]
    responses: list[tuple[str, str]]
    expires_at: datetime


def claim(session: Session, person_id: int, project: Project) -> Turn | None:
    """The turn this person has in the project, its lease renewed, or else a new one; None when nothing is left."""
    raise NotImplementedError


def release(session: Session, person_id: int, assignment_id: int) -> None:
    """Give a turn back before its lease runs out, for somebody else to take."""
    raise NotImplementedError


def expire(session: Session) -> int:
    """Take back the slots of leases that ran out; returns how many. For the sweep."""
    raise NotImplementedError
