"""Verbs on turns: take the next one, keep it, give it back, take back what was left lying.

A turn is a lease: claiming takes one of the item's open slots, so that no item is judged more often than wanted however
many people ask at once. For every item, at any time:

    open slots + open assignments + counted judgments = judgments wanted

except for items that tell about whoever judges them and nothing about their responses: gold, which has a right answer
and is for everybody, and repeats, which are for one person. They want 0 judgments and have no slots.

Claiming is one function for all who ask. A turn that is open comes first; of two of one person, which only an undo
makes, the one taken up last: what was undone is there again. Otherwise, in this order:

1. training: gold that is shown before real work, in the order in which it was brought in;
2. what is reserved for this person; nobody else ever gets it;
3. urgent items, whose priority is below 0;
4. by lot, for the project's share of turns, a repeat or hidden gold, and only while there is real work besides: a queue
   that offers nothing but tests would give them away;
5. the project's order. Each walks an index and sorts nothing: `ix_item_queue` for random and for priority (a lower number
   comes first), `ix_item_imported` for the time and line of the import. The order is carried by indexes and not by rewritten
   priorities, so a project changes its mind by one word in its own row.

A repeat shows the same texts again, so whoever remembers texts knows it: a person hardly, a program always. Other ids for its
responses would hide nothing from that program and would part the judgments of one response; so a repeat has them as they are.

Most projects are in random order and have no gold, nothing reserved and no repeat due; a statement half the size serves
them, and hands over to the whole one when it finds otherwise.

What is set aside is handed to nobody; whoever has it open already may finish. Each guard is there for a reason that is tested:

- The lock on (project, person) makes two tabs of one person see the same turn, instead of taking two. It is a statement
  of its own, since a statement that waits sees the rows as they were before it waited.
- `SKIP LOCKED` lets 32 people claim at once without waiting for each other; `NO KEY` keeps clear of the locks that
  foreign keys take while somebody judges the same item.
- The walk begins where this person is not at home: in random order at a random place, so that people do not crowd at the
  head; in the other orders behind the newest item they judged in that order. So nobody walks again and again past the many
  items they have judged, and a claim costs the same with a thousand items and with a million. When nothing is left
  behind that place the walk wraps round to the head, and finds what was given back, moved up or made open again.
- The slot is taken from the row that the assignment's insertion returns: no assignment, no slot lost.
- An item that somebody let expire comes back to them as the same assignment, in the same order.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Person
from app.db import Unit, ask, fetch
from app.errors import Conflict, NotFound
from app.language import gettext
from app.models import Assignment
from app.queue import statements

SWEEP_AT_ONCE = 1000
SEED_BITS = 63
# Of repeats, as the project's row bounds it: a draw above it is none, whatever the project.
LARGEST_SHARE = 0.5
NO_REPEAT = 1.0
# The first look at a turn may be older than the sweep it waited for.
LOOKS = 2
_draw = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn at one item: what to show, in which order, and until when it is theirs.

    `responses` are (id, text); which model wrote them stays on the server until they are judged. `reason` is one of
    `Assignment.REASONS` and is not for the person either, except “training”: whoever knows which items are tests is not
    tested by them.
    """

    assignment_id: int
    item_id: int
    prompt: list[dict[str, str]]
    responses: list[tuple[str, str]]
    expires_at: datetime
    reason: str

    @property
    def is_training(self) -> bool:
        return self.reason == "training"


def claim(unit: Unit, person_id: int, project_id: int, *, is_locked: bool = False) -> Turn | None:
    """The turn this person has in the project, its lease renewed, or else a new one; None when nothing is left.

    The caller has seen to it that the person may see the project. Judging has taken the lock already (`is_locked`).
    """
    if not is_locked:
        fetch(unit, statements.LOCK, {"project_id": project_id, "person_id": person_id})
    return claiming(unit, person_id, project_id)()


def claiming(unit: Unit, person_id: int, project_id: int) -> Callable[[], Turn | None]:
    """`claim` in two halves, for whoever has the lock: it is asked now and answered later, perhaps after the commit.

    A repeat has to be made first, so it is a statement of its own: the claim leaves the turn to it when the lot says so.
    """
    asked = {
        "project_id": project_id,
        "person_id": person_id,
        "start": _draw.random(),
        "gold": _draw.random(),
        "repeat": _draw.random(),
        "seed": _draw.getrandbits(SEED_BITS),
    }
    quickly = ask(unit, statements.QUICK_CLAIM, asked)

    def claimed() -> Turn | None:
        if turns := quickly():
            return _turn(**turns[0])
        fetch(unit, statements.LOCK, {"project_id": project_id, "person_id": person_id})
        turns = fetch(unit, statements.CLAIM, asked)
        if not turns and asked["repeat"] < LARGEST_SHARE:
            turns = fetch(unit, statements.REPEAT, asked)
            turns = turns or fetch(unit, statements.CLAIM, asked | {"repeat": NO_REPEAT})
        return _turn(**turns[0]) if turns else None

    return claimed


def _turn(*, shown_order: list[UUID], texts: dict[str, str], **rest: Any) -> Turn:
    return Turn(responses=[(key, texts[key]) for key in map(str, shown_order)], **rest)


def reach_turn(session: Session, person: Person, assignment_id: int) -> None:
    """Raises NotFound for a turn in a project that is beyond the bounds of their token, as for one that is not theirs."""
    if person.projects is None:
        return
    project_id = session.scalar(select(Assignment.project_id).where(Assignment.id == assignment_id))
    if project_id is None or not person.reaches(project_id):
        raise NotFound(gettext("there is no such assignment of yours"))


def renew(session: Session, person_id: int, assignment_id: int) -> datetime:
    """Keep a turn while its page is open; returns until when. Raises NotFound, or Conflict when it is over.

    A turn whose lease ran out is taken up again while its slot is free. Otherwise judging it is late work, which is kept.
    """
    who = {"assignment_id": assignment_id, "person_id": person_id}
    turns = fetch(session, statements.LOCK_TURN, who)
    if not turns:
        raise NotFound(gettext("there is no such assignment of yours"))
    for _ in range(LOOKS):
        for row in fetch(session, statements.RENEW, who):
            until: datetime = row["expires_at"]
            return until
    raise Conflict(
        gettext(
            "this turn is over: it was judged, or its time ran out and somebody else has it or you have another one; what you send for it is kept all the same"
        )
    )


def release(session: Session, person_id: int, assignment_id: int) -> None:
    """Give a turn back before its lease runs out, for somebody else to take."""
    if not fetch(session, statements.RELEASE, {"assignment_id": assignment_id, "person_id": person_id}):
        raise NotFound(gettext("there is no open turn of yours with this number"))


def expire(session: Session) -> int:
    """Take back the slots of leases that ran out; returns how many. For the sweep, which calls until it is 0."""
    return len(fetch(session, statements.EXPIRE, {"at_once": SWEEP_AT_ONCE}))
