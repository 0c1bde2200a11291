"""Questions of somebody who judges: what did I say last, how far am I, and why is nothing left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, exists, func, select, union_all
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import NotFound
from app.language import gettext as _
from app.models import Assignment, Item, Judgment, Project

# What was saved is shown back for this long: the next day it would be about an item that nobody remembers.
STILL_FRESH = timedelta(hours=1)
# More open items than this are not counted out: the page costs the same however many there are.
COUNTED_OPEN = 1000


@dataclass(frozen=True, slots=True)
class Last:
    """The newest thing that somebody said in a project, with the responses in the order they saw."""

    judgment_id: int
    outcome: str
    tiers: dict[str, Any]
    withdrawn: bool
    shown: list[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """`today` begins at midnight UTC; `open_items` counts no further than `COUNTED_OPEN` + 1.

    Known answers and repeats are work like any other to whoever does it: a counter that stood still would tell them apart.
    """

    in_all: int
    today: int
    open_items: int


Reason = Literal["empty", "others_judge", "all_yours", "done"]


def shown_order(session: Session, person: Person, assignment_id: int) -> Sequence[UUID]:
    """The responses of one's own turn as they were shown."""
    shown = session.scalar(
        select(Assignment.shown_order).where(Assignment.id == assignment_id, Assignment.user_id == person.id)
    )
    if shown is None:
        raise NotFound(_("there is no such assignment of yours"))
    return shown


def last_judgment(session: Session, person: Person, project: Project) -> Last | None:
    found = session.execute(
        select(Judgment.id, Judgment.outcome, Judgment.tiers, Judgment.withdrawn, Assignment.shown_order)
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
    return Last(found.id, found.outcome, found.tiers, found.withdrawn, [str(key) for key in found.shown_order])


def progress(session: Session, person: Person, project: Project) -> Progress:
    today = Judgment.created_at >= func.date_trunc("day", func.now())
    for_all = _open_to_all(project).limit(COUNTED_OPEN + 1)
    for_them = _open(project).where(Item.reserved_for == person.id).limit(COUNTED_OPEN + 1)
    some = union_all(for_all, for_them).limit(COUNTED_OPEN + 1)
    open_items = select(func.count()).select_from(some.subquery()).scalar_subquery()
    mine = select(func.count(), func.count().filter(today), open_items).where(
        Judgment.project_id == project.id,
        Judgment.user_id == person.id,
        Judgment.is_current,
        Judgment.outcome != "skip",
    )
    return Progress(*session.execute(mine).one())


def _open(project: Project) -> Select[int]:
    return select(Item.id).where(Item.project_id == project.id, Item.open_slots > 0, ~Item.set_aside)


def _open_to_all(project: Project) -> Select[int]:
    """Conditions that `ix_item_queue` answers."""
    return _open(project).where(Item.reserved_for.is_(None))


def why_nothing_is_left(session: Session, person: Person, project: Project) -> Reason:
    """Asked only when a claim came back empty."""
    of_project = Item.project_id == project.id
    if not session.scalar(select(exists().where(of_project))):
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
