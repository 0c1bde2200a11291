"""Questions of somebody who judges: what did I say last, how far am I, and why is nothing left.

None of them tells a known answer or a repeat from any other item: they look the same to whoever judges them.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, exists, func, select, union_all
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import NotFound
from app.kinds import Verdict
from app.language import gettext as _
from app.models import Assignment, Item, Judgment, Project

# What was saved is shown back for this long: the next day it would be about an item that nobody remembers.
STILL_FRESH = timedelta(hours=1)
# More open items than this are not counted out: the page costs the same however many there are.
COUNTED_OPEN = 1000
# The time that an item takes is that of the newest ones: people become quicker.
RECENT = 50
FEWEST_FOR_A_MEDIAN = 3


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


@dataclass(frozen=True, slots=True)
class Progress:
    """`today` begins at midnight UTC; `open_items`, those left for this person, counts no further than `COUNTED_OPEN` + 1.

    Known answers and repeats are work like any other to whoever does it: a counter that stood still would tell them apart.
    `usual_s` is the median of the seconds that this person's newest judgments took, None until there are a few.
    """

    in_all: int
    today: int
    open_items: int
    usual_s: float | None


Reason = Literal["empty", "others_judge", "all_yours", "done"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One's own turn as it was shown: the responses in their order, and whether it was for practice."""

    response_ids: list[UUID]
    is_practice: bool


def shown(session: Session, person: Person, assignment_id: int) -> Shown:
    found = session.execute(
        select(Assignment.shown_order, Assignment.reason).where(
            Assignment.id == assignment_id, Assignment.user_id == person.id
        )
    ).one_or_none()
    if found is None:
        raise NotFound(_("there is no such assignment of yours"))
    return Shown(found.shown_order, found.reason == "training")


def last_judgment(session: Session, person: Person, project: Project) -> Last | None:
    found = session.execute(
        select(Judgment, Assignment.shown_order)
        .join(Assignment, Assignment.id == Judgment.assignment_id)
        .where(
            Judgment.project_id == project.id,
            Judgment.user_id == person.id,
            Judgment.created_at > func.now() - STILL_FRESH,
        )
        .order_by(Judgment.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    judgment, shown_order = found
    dimensions = judgment.dimensions  # in the project's order, which JSON does not keep
    names = [name for name in project.dimensions if name in dimensions]
    names += [name for name in dimensions if name not in names]
    return Last(
        judgment.id,
        judgment.assignment_id,
        judgment.revision,
        judgment.outcome,
        judgment.tiers,
        {name: dimensions[name] for name in names},
        judgment.strength,
        judgment.comment,
        judgment.skip_reason,
        judgment.withdrawn,
        [str(key) for key in shown_order],
    )


def taken_back(session: Session, last: Last) -> Verdict | None:
    """What a withdrawal took back, for its form to be filled in again."""
    before = session.scalars(
        select(Judgment).where(
            Judgment.assignment_id == last.assignment_id, Judgment.revision == last.revision - 1, ~Judgment.withdrawn
        )
    ).one_or_none()
    return verdict_of(before) if before is not None else None


def verdict_of(judgment: Judgment) -> Verdict:
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


def progress(session: Session, person: Person, project: Project) -> Progress:
    today = Judgment.created_at >= func.date_trunc("day", func.now())
    my_own = (
        Judgment.project_id == project.id,
        Judgment.user_id == person.id,
        Judgment.is_current,
        Judgment.outcome != "skip",
    )
    newest = (
        select(Judgment.duration_ms)
        .where(*my_own, Judgment.duration_ms.is_not(None))
        .order_by(Judgment.id.desc())
        .limit(RECENT)
        .subquery()
    )
    usual = select(func.percentile_cont(0.5).within_group(newest.c.duration_ms) / 1000.0).having(
        func.count() >= FEWEST_FOR_A_MEDIAN
    )
    # at most so many are looked at, those of them that this person has judged are no longer left
    for_all = _open_to_all(project).limit(COUNTED_OPEN + 1)
    for_them = _open(project).where(Item.reserved_for == person.id).limit(COUNTED_OPEN + 1)
    some = union_all(for_all, for_them).limit(COUNTED_OPEN + 1).subquery()
    judged = exists().where(
        Assignment.item_id == some.c.id, Assignment.user_id == person.id, Assignment.state == "done"
    )
    left = select(func.count()).select_from(some).where(~judged)
    mine = select(func.count(), func.count().filter(today), left.scalar_subquery(), usual.scalar_subquery())
    return Progress(*session.execute(mine.where(*my_own)).one())


def _open(project: Project) -> Select[int]:
    return select(Item.id).where(Item.project_id == project.id, Item.open_slots > 0, ~Item.set_aside)


def _open_to_all(project: Project) -> Select[int]:
    """Conditions that `ix_item_queue` answers."""
    return _open(project).where(Item.reserved_for.is_(None))


def why_nothing_is_left(session: Session, person: Person, project: Project) -> Reason:
    """Asked only when a claim came back empty."""
    if not session.scalar(select(exists().where(Item.project_id == project.id))):
        return "empty"
    if session.scalar(select(_open_to_all(project).exists())):
        return "all_yours"
    leased = exists().where(
        Assignment.project_id == project.id,
        Assignment.state == "open",
        Assignment.user_id != person.id,
        Assignment.reason.not_in(("reserved", "gold", "training", "repeat")),  # these come back to nobody else
    )
    return "others_judge" if session.scalar(select(leased)) else "done"
