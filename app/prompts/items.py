"""Verbs on one item, for whoever manages its project: set it aside, say when and by whom it is judged, make it a known answer.

Each holds the item's row until the commit, as claiming does, so open slots + open turns + counted judgments = judgments
wanted holds before and after. Nothing here deletes what somebody said.

Whether an item has slots at all (it is ordinary) or none (it is gold) decides what a turn and a judgment mean for it. So that
changes while nobody is at it: everybody who ever had a turn at the item is locked out for the moment, by the lock that
judging takes. That lock is tried and not waited for, since they may be waiting for the item. When an item
becomes gold, what was said about it stays but no longer counts, and its tuples are no longer in force; when it becomes ordinary,
all of it is used again, and the oldest judgments count up to the number wanted.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.access import Person
from app.db import insert_rows
from app.errors import BadInput, Conflict, NotFound
from app.kinds import Asked, Verdict, kind_named
from app.language import gettext
from app.models import Assignment, Audit, Item, Judgment, Membership, Preference, Project, User
from app.models.table import Json
from app.preference import tuples
from app.prompts.groups import LARGEST_PRIORITY

URGENT = -1.0

_OTHERS_KEPT_OUT = text("""
    SELECT coalesce(bool_and(pg_try_advisory_xact_lock(hashint8(project_id), hashint8(user_id))), true)
    FROM assignment WHERE item_id = :item_id
""")


@dataclass(frozen=True, slots=True)
class Managed:
    """An item whose row is held until the commit, and who changes it."""

    session: Session
    person: Person
    project: Project
    item: Item

    def tell(self, action: str, **detail: object) -> None:
        """Write it down; the item's columns are written with it."""
        told = {"item": self.item.id, **detail}
        self.session.add(Audit(user_id=self.person.id, action=f"item.{action}", subject=self.project.slug, detail=told))
        self.session.flush()


def managed_item(session: Session, person: Person, project: Project, item_id: int) -> Managed:
    """The caller has seen to it that the person manages the project."""
    item = session.scalars(
        select(Item)
        .where(Item.id == item_id, Item.project_id == project.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if item is None:
        raise NotFound(gettext("there is no item %(number)s in this project", number=item_id))
    return Managed(session, person, project, item)


def set_aside(managed: Managed) -> None:
    """Hand it to nobody until it is opened again. Whoever has it open may finish."""
    if not managed.item.set_aside:
        managed.item.set_aside = True
        managed.tell("set_aside")


def open_again(managed: Managed) -> None:
    if managed.item.set_aside:
        managed.item.set_aside = False
        managed.tell("opened_again")


def set_priority(managed: Managed, priority: float | None) -> None:
    """A lower number comes first, below 0 is urgent; None draws one, as for an item that comes in without."""
    priority = random.SystemRandom().random() if priority is None else priority
    if not math.isfinite(priority) or abs(priority) > LARGEST_PRIORITY:
        raise BadInput(gettext("a priority is a number; a lower one comes first, below 0 is urgent"), field="priority")
    before, managed.item.priority = managed.item.priority, priority
    managed.tell("priority_set", before=before, priority=priority)


def reserve(managed: Managed, user: User) -> None:
    """One more judgment of the item, by this person and nobody else; further slots are closed while it is reserved."""
    session, item = managed.session, managed.item
    _check_is_ordinary(item, "reserved_for")
    if item.reserved_for == user.id:
        return
    _check_may_judge(session, managed.project, user)
    turn = select(Assignment.state).where(Assignment.item_id == item.id, Assignment.user_id == user.id)
    if session.scalar(turn) in {"open", "done"}:
        raise Conflict(
            gettext("%(name)s has this item already; nobody gets an item twice", name=user.name),
            field="reserved_for",
        )
    item.reserved_for = user.id
    _set_slots(item, 1)
    managed.tell("reserved", user=user.id, name=user.name)


def unreserve(managed: Managed) -> None:
    """For everybody again, as often as the project wants."""
    item = managed.item
    if item.reserved_for is None:
        return
    _check_is_ordinary(item, "reserved_for")
    item.reserved_for = None
    _set_slots(item, max(0, managed.project.judgments_per_item - (item.wanted - item.open_slots)))
    managed.tell("unreserved")


def _set_slots(item: Item, slots: int) -> None:
    taken = item.wanted - item.open_slots
    item.wanted, item.open_slots = taken + slots, slots


def make_gold(managed: Managed, answer: Verdict, *, is_training: bool) -> None:
    """Give it the answer that is known to be right: a test for everybody, with `is_training` one that they see as such.

    Raises BadJudgment for an answer that the project's kind does not take.
    """
    session, project, item = managed.session, managed.project, managed.item
    if item.repeat_of is not None:
        raise BadInput(
            gettext("this item is a repeat that was made for one person; choose the item that it repeats"), field="gold"
        )
    gold = answer_of(project, item, answer)
    if item.gold is None:
        _keep_others_out(managed)
        session.execute(update(Judgment).where(Judgment.item_id == item.id, Judgment.counted).values(counted=False))
        session.execute(update(Preference).where(Preference.item_id == item.id).values(is_current=False))
    item.gold, item.is_training = gold, is_training
    item.wanted, item.open_slots, item.reserved_for = 0, 0, None
    managed.tell("made_gold", gold=gold, training=is_training)


def answer_of(project: Project, item: Item, answer: Verdict) -> Json:
    """A right answer as it is stored: {outcome, tiers}."""
    if answer.outcome == "skip":
        raise BadInput(gettext("“skip” is no answer; give the outcome that is right"), field="gold")
    asked = Asked(project.outcomes)
    checked = kind_named(project.kind).check(answer, item.response_ids, asked)
    return {"outcome": checked.outcome, "tiers": {str(key): tier for key, tier in checked.tiers.items()}}


def answer_in(item: Item) -> Verdict:
    """The right answer of a gold item, as it was given."""
    gold = item.gold or {}
    return Verdict(gold["outcome"], {UUID(key): tier for key, tier in gold["tiers"].items()})


def make_ordinary(managed: Managed) -> None:
    """To be judged as often as the project wants. What was said about it meanwhile counts, the oldest first."""
    session, item = managed.session, managed.item
    if item.gold is None:
        return
    _keep_others_out(managed)
    said = session.scalars(
        select(Judgment).where(Judgment.item_id == item.id, Judgment.is_current).order_by(Judgment.id)
    ).all()
    turns = session.scalar(select(func.count()).where(Assignment.item_id == item.id, Assignment.state == "open"))
    wanted = max(managed.project.judgments_per_item, turns or 0)
    left = wanted - (turns or 0)
    for judgment in said:
        judgment.counted = judgment.outcome != "skip" and left > 0
        left -= judgment.counted
    item.gold, item.is_training, item.wanted, item.open_slots = None, False, wanted, left
    _put_tuples_in_force(session, item, said)
    managed.tell("made_ordinary")


def _put_tuples_in_force(session: Session, item: Item, said: Sequence[Judgment]) -> None:
    rows = [
        {
            "project_id": item.project_id,
            "judgment_id": judgment.id,
            "item_id": item.id,
            "prompt_id": item.prompt_id,
            "chosen_id": chosen,
            "rejected_id": rejected,
            "margin": judgment.strength,
        }
        for judgment in said
        for chosen, rejected in tuples(judgment.tiers)
    ]
    if rows:
        session.execute(
            insert_rows(Preference, rows).on_conflict_do_update(
                index_elements=["judgment_id", "chosen_id", "rejected_id"], set_={"is_current": True}
            )
        )


def _keep_others_out(managed: Managed) -> None:
    if not managed.session.scalar(_OTHERS_KEPT_OUT, {"item_id": managed.item.id}):
        raise Conflict(gettext("somebody is judging this item at this very moment; please try again"))


def _check_is_ordinary(item: Item, field: str) -> None:
    if item.gold is not None:
        raise BadInput(gettext("a known answer is for everybody; make the item ordinary first"), field=field)
    if item.repeat_of is not None:
        raise BadInput(gettext("a repeat is for the person it was made for"), field=field)


def _check_may_judge(session: Session, project: Project, user: User) -> None:
    if user.role != "admin" and session.get(Membership, (user.id, project.id)) is None:
        raise BadInput(
            gettext("%(name)s may not judge in this project; let them in first", name=user.name),
            field="reserved_for",
        )
