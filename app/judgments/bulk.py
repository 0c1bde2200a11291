"""Judgments that a file brings, many at once: each becomes a finished assignment, a judgment and its tuples.

An imported judge judges an item once. The same verdict again is the same judgment and adds nothing; another verdict
is refused, since nobody can tell which of the two was meant. A judgment takes a slot of its item while there is one
that is not reserved, and is otherwise kept, with its tuples, as not counted. About an item that wants no judgments (gold)
it makes no tuples.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db import among, insert_rows
from app.kinds import Verdict
from app.models import Assignment, Item, Judgment, Preference, Project
from app.preference import tuples
from app.projects.tally import keep_still

CLIENT_KEY = "import"


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict of an imported judge about an item."""

    item_id: int
    prompt_id: int
    user_id: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Slots:
    """`left` are those that a file may take: what is reserved is for a person."""

    wanted: int
    left: int


class Fate(Enum):
    STORED = "stored"
    KNOWN = "known"
    CONTRADICTS = "contradicts"


def store_imported(session: Session, project: Project, judged: Sequence[Judged]) -> list[Fate]:
    """What became of each, in their order. Several about one item may be in one call.

    The caller makes sure that nobody else imports into the project meanwhile.
    """
    verdicts = _known_verdicts(session, judged)
    fates = []
    fresh = []
    for one in judged:
        key = (one.item_id, one.user_id)
        if key not in verdicts:
            verdicts[key] = _comparable(one.verdict)
            fresh.append(one)
            fates.append(Fate.STORED)
        else:
            fates.append(Fate.KNOWN if verdicts[key] == _comparable(one.verdict) else Fate.CONTRADICTS)
    if fresh:
        _store(session, project, fresh)
    return fates


def _tiers_by_text(verdict: Verdict) -> dict[str, Any]:
    return {str(key): tier for key, tier in verdict.tiers.items()}


def _comparable(verdict: Verdict) -> tuple[str, dict[str, Any]]:
    return verdict.outcome, _tiers_by_text(verdict)


def _known_verdicts(session: Session, judged: Sequence[Judged]) -> dict[tuple[int, int], tuple[str, dict[str, Any]]]:
    rows = session.execute(
        select(Judgment.item_id, Judgment.user_id, Judgment.outcome, Judgment.tiers).where(
            Judgment.is_current,
            among(Judgment.item_id, {one.item_id for one in judged}),
            among(Judgment.user_id, {one.user_id for one in judged}),
        )
    )
    return {(item_id, user_id): (outcome, tiers) for item_id, user_id, outcome, tiers in rows}


def _store(session: Session, project: Project, fresh: Sequence[Judged]) -> None:
    keep_still(session)
    slots = _locked_slots(session, fresh)
    counted = _take_slots(session, fresh, slots)
    assignments = _finished_assignments(session, project, fresh)
    rows = [
        {
            "project_id": project.id,
            "assignment_id": assignments[one.item_id, one.user_id],
            "item_id": one.item_id,
            "user_id": one.user_id,
            "judge_kind": "imported",
            "outcome": one.verdict.outcome,
            "tiers": _tiers_by_text(one.verdict),
            "strength": one.verdict.strength,
            "comment": one.verdict.comment,
            "client_key": CLIENT_KEY,
            "counted": is_counted,
        }
        for one, is_counted in zip(fresh, counted, strict=True)
    ]
    added = session.execute(insert_rows(Judgment, rows).returning(Judgment.item_id, Judgment.user_id, Judgment.id))
    judgments = {(item_id, user_id): key for item_id, user_id, key in added}
    _store_tuples(session, project, [one for one in fresh if slots[one.item_id].wanted], judgments)


def _locked_slots(session: Session, fresh: Sequence[Judged]) -> dict[int, _Slots]:
    """Of each item, which are locked in the order of their ids. Whoever judges one of them in time does not wait for this."""
    ids = {one.item_id for one in fresh}
    rows = session.execute(
        select(Item.id, Item.wanted, Item.open_slots, Item.reserved_for)
        .where(among(Item.id, ids))
        .order_by(Item.id)
        .with_for_update(key_share=True)
    )
    return {key: _Slots(wanted, left if person is None else 0) for key, wanted, left, person in rows}


def _take_slots(session: Session, fresh: Sequence[Judged], slots: Mapping[int, _Slots]) -> list[bool]:
    """Which of these still find an open slot; the slots are taken."""
    taken: Counter[int] = Counter()
    counted = []
    for one in fresh:
        is_counted = taken[one.item_id] < slots[one.item_id].left
        taken[one.item_id] += is_counted
        counted.append(is_counted)
    for number in set(taken.values()) - {0}:
        these = [item_id for item_id, times in taken.items() if times == number]
        session.execute(update(Item).where(among(Item.id, these)).values(open_slots=Item.open_slots - number))
    return counted


def _finished_assignments(session: Session, project: Project, fresh: Sequence[Judged]) -> dict[tuple[int, int], int]:
    now = datetime.now(UTC)
    rows = [
        {
            "project_id": project.id,
            "item_id": one.item_id,
            "user_id": one.user_id,
            "state": "done",
            "reason": "file",
            "seed": 0,
            "shown_order": list(one.verdict.tiers),
            "expires_at": now,
        }
        for one in fresh
    ]
    added = session.execute(
        insert_rows(Assignment, rows).returning(Assignment.item_id, Assignment.user_id, Assignment.id)
    )
    return {(item_id, user_id): key for item_id, user_id, key in added}


def _store_tuples(
    session: Session, project: Project, fresh: Sequence[Judged], judgments: Mapping[tuple[int, int], int]
) -> None:
    rows = [
        {
            "project_id": project.id,
            "judgment_id": judgments[one.item_id, one.user_id],
            "item_id": one.item_id,
            "prompt_id": one.prompt_id,
            "chosen_id": chosen,
            "rejected_id": rejected,
            "margin": one.verdict.strength,
        }
        for one in fresh
        for chosen, rejected in tuples(one.verdict.tiers)
    ]
    if rows:
        session.execute(insert_rows(Preference, rows))
