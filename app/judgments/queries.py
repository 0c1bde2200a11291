"""Questions of somebody who judges: what did I say last, and why is nothing left.

None of them tells a known answer or a repeat from any other item: they look the same to whoever judges them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, LiteralString
from uuid import UUID

from app.access import Person
from app.db import Unit, fetch
from app.kinds import Verdict
from app.models import Judgment, Project

# What was saved is shown back for this long: the next day it would be about an item that nobody remembers.
STILL_FRESH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Last:
    """The newest thing that somebody said in a project, with the responses in the order they saw."""

    judgment_id: int
    assignment_id: int
    revision: int
    outcome: str
    tiers: dict[str, Any]
    dimensions: dict[str, dict[str, Any]]
    strength: int | None
    comment: str
    skip_reason: str
    withdrawn: bool
    shown: list[str]
    is_practice: bool


_OF_A_JUDGMENT = ("revision", "outcome", "tiers", "dimensions", "strength", "comment", "skip_reason", "withdrawn")

Reason = Literal["empty", "others_judge", "all_yours", "done"]


_LAST = """
    SELECT judgment.id AS judgment_id, assignment_id, revision, outcome, tiers, dimensions, strength, comment,
        skip_reason, withdrawn, shown_order AS shown, reason = 'training' AS is_practice
    FROM judgment JOIN assignment ON assignment.id = assignment_id
    WHERE judgment.project_id = %(project_id)s AND judgment.user_id = %(person_id)s
    AND judgment.created_at > now() - %(fresh)s
    ORDER BY judgment.id DESC LIMIT 1
"""


def last_judgment(unit: Unit, person: Person, project: Project) -> Last | None:
    asked = {"project_id": project.id, "person_id": person.id, "fresh": STILL_FRESH}
    for row in fetch(unit, _LAST, asked):
        return _in_order(row, project)
    return None


def just_stored(
    judgment: Mapping[str, Any], shown: Sequence[UUID], project: Project, *, is_practice: bool = False
) -> Last:
    """The same of a judgment in the shape that storing it answers with: nobody has to ask the database for it again."""
    row = {name: judgment[name] for name in _OF_A_JUDGMENT}
    row |= {"judgment_id": judgment["id"], "assignment_id": judgment["assignment"], "shown": shown}
    row["is_practice"] = is_practice
    return _in_order(row, project)


def _in_order(row: Mapping[str, Any], project: Project) -> Last:
    """Dimensions in the project's order, which JSON does not keep."""
    dimensions = row["dimensions"]
    names = [name for name in project.dimensions if name in dimensions]
    names += [name for name in dimensions if name not in names]
    in_order = {"dimensions": {name: dimensions[name] for name in names}, "shown": [str(key) for key in row["shown"]]}
    return Last(**{**row, **in_order})


_TAKEN_BACK = """
    SELECT outcome, tiers, strength, comment, dimensions, skip_reason FROM judgment
    WHERE assignment_id = %(assignment_id)s AND revision = %(revision)s AND NOT withdrawn
"""


def taken_back(unit: Unit, last: Last) -> Verdict | None:
    """What a withdrawal took back, for its form to be filled in again."""
    before = {"assignment_id": last.assignment_id, "revision": last.revision - 1}
    for row in fetch(unit, _TAKEN_BACK, before):
        return verdict_of(Judgment(**row))
    return None


def verdict_of(judgment: Judgment) -> Verdict:
    """What was decided, as it was given: the database knows responses by their ids as text."""
    return Verdict(
        judgment.outcome,
        _by_id(judgment.tiers),
        judgment.strength,
        judgment.comment,
        {name: _by_id(tiers) for name, tiers in judgment.dimensions.items()},
        judgment.skip_reason,
    )


def _by_id(tiers: dict[str, Any]) -> dict[UUID, int]:
    return {UUID(key): tier for key, tier in tiers.items()}


# `ix_item_queue` answers what is open to all, `ix_item_reserved` the rest. What is reserved, gold or a repeat comes back to
# nobody else when whoever has it lets it go.
_WHY: LiteralString = """
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM item WHERE project_id = %(project_id)s) THEN 'empty'
        WHEN EXISTS (
            SELECT FROM item WHERE project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside AND reserved_for IS NULL
        ) OR EXISTS (
            SELECT FROM item
            WHERE project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside AND reserved_for IS NOT NULL
        ) THEN 'all_yours'
        WHEN EXISTS (
            SELECT FROM assignment WHERE project_id = %(project_id)s AND state = 'open' AND user_id <> %(person_id)s
            AND reason NOT IN ('reserved', 'gold', 'training', 'repeat')
        ) THEN 'others_judge'
        ELSE 'done' END AS reason
"""


def why_nothing_is_left(unit: Unit, person: Person, project: Project) -> Reason:
    """Asked only when a claim came back empty."""
    (row,) = fetch(unit, _WHY, {"project_id": project.id, "person_id": person.id})
    reason: Reason = row["reason"]
    return reason
