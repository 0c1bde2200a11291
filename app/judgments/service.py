"""Verbs on judgments: store one, take it back, replace it.

A judgment, its tuples and what it means for the item's slots are written by one statement, which begins by changing the
assignment's state: whoever comes second (a double click, the sweep) finds it changed, writes nothing and looks again.
So a judgment is stored exactly once, and a slot is neither lost nor invented:

- a judgment in time keeps the slot that its turn has held; a skip gives it back;
- late work, after the lease ran out, is never thrown away: it takes a slot if one is open, else it is kept as not
  counted;
- undo hands the slot from the judgment back to the turn, which is open again for the same person.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.access import Person
from app.db import Unit, ask, fetch
from app.errors import BadInput, Conflict, NotFound
from app.judgments import statements
from app.kinds import Asked, Kind, Verdict, kind_named
from app.language import gettext
from app.preference import dense, tuples

LONGEST_KEY = 255
_TAKEN_BACK = " (taken back)"
# The first look may be older than what it waited for. The second is not, but the sweep may come before its work is
# stored. Nothing can come after the third.
LOOKS = 3


@dataclass(frozen=True, slots=True)
class Stored:
    """A judgment as it stands in the database, in the shape the API answers with; `replayed` if it was there before.

    `reason` is why its item was handed out, `shown` the order in which its responses were seen, where it has just been
    judged.

    `judgment` has id, assignment, item, outcome, tiers {response id: tier}, dimensions {name: tiers}, strength,
    comment, skip_reason, duration_ms, revision, counted, withdrawn, created_at.
    """

    judgment: dict[str, Any]
    project_id: int
    reason: str = ""
    shown: Sequence[UUID] = ()
    replayed: bool = False


Read = Callable[[Kind, Sequence[UUID], Asked], Verdict]
# It is told the project and why the item was handed out.
Meanwhile = Callable[[int, str], None]


def judge(
    unit: Unit,
    person: Person,
    assignment_id: int,
    verdict: Verdict | Read,
    *,
    key: str,
    duration_ms: int | None = None,
    meanwhile: Meanwhile | None = None,
) -> Stored:
    """Store a judgment with its tuples. `key` names this attempt: a second call with it stores nothing.

    A form cannot be read before it is known what was shown and asked; `Read` does it then, and nobody has to ask twice.
    `meanwhile` is called when the judgment is on its way and before its answer is waited for, perhaps more than once.
    """
    who = _asking(person, key) | {"assignment_id": assignment_id}
    for _ in range(LOOKS):
        turns = fetch(unit, statements.LOOK, who)
        if not turns or not person.reaches(turns[0]["project_id"]):
            raise NotFound(gettext("there is no such assignment of yours"))
        turn = turns[0]
        kind = kind_named(turn["kind"])
        asked = Asked(turn["outcomes"], turn["dimensions"], turn["comments"], turn["comment_min_length"])
        said = verdict if isinstance(verdict, Verdict) else verdict(kind, turn["response_ids"], asked)
        if turn["before"] is not None:
            return Stored(_same(turn["before"], said), turn["project_id"], turn["reason"], replayed=True)
        if turn["state"] == "done":
            raise Conflict(gettext("you have judged this item already; take that judgment back to judge it again"))
        checked = kind.check(said, turn["response_ids"], asked)
        written = who | turn | _written(checked, turn["state"]) | {"duration_ms": duration_ms}
        is_plain = turn["state"] == "open" and checked.outcome != "skip"
        stored = ask(unit, statements.STORE if is_plain else statements.STORE_AND_MOVE_SLOT, written)
        if meanwhile is not None:
            meanwhile(turn["project_id"], turn["reason"])
        for row in stored():
            return Stored(row["judgment"], turn["project_id"], turn["reason"], turn["shown_order"])
    raise Conflict(gettext("this item is being judged from several places at once; please try again"))


def withdraw(unit: Unit, person: Person, judgment_id: int, *, key: str) -> Stored:
    """Undo: take a judgment back and open its turn again for the same person; `queue.claim` gives that turn next.

    A judgment that held no slot (a skip, or work beyond the number wanted) takes one if it can. Otherwise its turn is
    over, and what is judged in it after all is late work. Practice stays as it is: whoever made it has been told the
    right answer.
    """
    who = _asking(person, key) | {"judgment_id": judgment_id}
    for _ in range(LOOKS):
        turns = fetch(unit, statements.LOOK_BACK, who)
        if not turns or not person.reaches(turns[0]["project_id"]):
            raise NotFound(gettext("there is no such judgment of yours"))
        turn = turns[0]
        if turn["before"] is not None:
            return Stored(_withdrawn(turn["before"]), turn["project_id"], replayed=True)
        if turn["reason"] == "training":
            raise Conflict(gettext("practice stays as it is: you have been shown the right answer"))
        for row in fetch(unit, statements.WITHDRAW, who):
            return Stored(row["judgment"], turn["project_id"])
    raise Conflict(gettext("this judgment was taken back or replaced already"))


def revise(
    unit: Unit, person: Person, judgment_id: int, verdict: Verdict, *, key: str, duration_ms: int | None = None
) -> Stored:
    """Replace a judgment by another of the same turn: it is taken back and the turn judged again, in one transaction."""
    _asking(person, key)
    taken_back = withdraw(unit, person, judgment_id, key=_key_of_the_first_half(key))
    return judge(unit, person, taken_back.judgment["assignment"], verdict, key=key, duration_ms=duration_ms)


def _key_of_the_first_half(key: str) -> str:
    """Its own for each key: of one with no room for the words behind it, the digest takes its place."""
    has_room = len(key) + len(_TAKEN_BACK) <= LONGEST_KEY
    return f"{key if has_room else hashlib.sha256(key.encode()).hexdigest()}{_TAKEN_BACK}"


def _asking(person: Person, key: str) -> dict[str, Any]:
    if not key or len(key) > LONGEST_KEY or "\0" in key:
        raise BadInput(
            gettext(
                "send an Idempotency-Key of 1 to %(most)s characters, a new one for each decision", most=LONGEST_KEY
            ),
            field="idempotency-key",
        )
    return {"person_id": person.id, "is_admin": person.is_admin, "key": key}


def _written(verdict: Verdict, state: str) -> dict[str, Any]:
    """What a checked verdict puts into its rows, and the slots that this leaves for others: those held less those needed."""
    pairs = list(tuples(verdict.tiers))
    held, needed = state == "open", verdict.outcome != "skip"
    return {
        "outcome": verdict.outcome,
        "tiers": orjson.dumps(_by_text(verdict.tiers)).decode(),
        "dimensions": orjson.dumps(_dimensions_by_text(verdict.dimensions)).decode(),
        "strength": verdict.strength,
        "comment": verdict.comment,
        "skip_reason": verdict.skip_reason,
        "slots": held - needed,
        "chosen": [chosen for chosen, _ in pairs],
        "rejected": [rejected for _, rejected in pairs],
    }


def _by_text(tiers: Mapping[Any, int]) -> dict[str, int]:
    return {str(key): tier for key, tier in tiers.items()}


def _dimensions_by_text(dimensions: Mapping[str, Mapping[Any, int]]) -> dict[str, dict[str, int]]:
    return {name: _by_text(dense(tiers)) for name, tiers in dimensions.items()}


def _same(before: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The judgment stored under this key, if it says the same. How long it took may differ: it is no part of it."""
    said = {
        "outcome": verdict.outcome,
        "tiers": _by_text(dense(verdict.tiers)) or (before["tiers"] if verdict.outcome == "tie" else {}),
        "dimensions": _dimensions_by_text(verdict.dimensions),
        "strength": verdict.strength,
        "comment": verdict.comment,
        "skip_reason": verdict.skip_reason,
    }
    if before["withdrawn"] or said != {name: before[name] for name in said}:
        raise Conflict(gettext("this Idempotency-Key was used for something else; use a new one for each decision"))
    return before


def _withdrawn(before: dict[str, Any]) -> dict[str, Any]:
    if not before["withdrawn"]:
        raise Conflict(gettext("this Idempotency-Key was used for something else; use a new one for each decision"))
    return before
