"""Questions about items, for whoever manages their project: which there are, and everything that was said about one.

A list walks the items by their number, as they came in. A search looks into the prompts of no more than `LOOKED_THROUGH` of them
at a time, so that it answers soon even where there are a million; the next page goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnExpressionArgument, and_, exists, func, select, true
from sqlalchemy.orm import Session

from app.errors import BadInput, NotFound
from app.language import gettext
from app.models import Assignment, Item, Judgment, Membership, Project, Prompt, Response, User
from app.projects.reservations import is_stuck
from app.prompts.search import prompt_has

LOOKED_THROUGH = 20_000
LONGEST_WORDS = 200
Which = Literal["all", "open", "judged", "urgent", "reserved", "stuck", "set_aside", "gold", "repeats"]
FILTERS: tuple[Which, ...] = get_args(Which)

_CONDITIONS: Mapping[Which, ColumnExpressionArgument[bool]] = {
    "all": Item.repeat_of.is_(None),
    "open": and_(Item.open_slots > 0, ~Item.set_aside),
    "judged": and_(
        Item.wanted > 0,
        exists().where(Judgment.item_id == Item.id, Judgment.is_current, Judgment.counted).correlate(Item),
    ),
    "urgent": and_(Item.priority < 0, Item.open_slots > 0),
    "reserved": and_(Item.reserved_for.is_not(None), Item.repeat_of.is_(None)),
    "stuck": is_stuck(),
    "set_aside": Item.set_aside,
    "gold": Item.gold.is_not(None),
    "repeats": Item.repeat_of.is_not(None),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """An item in a list; `counted` judgments of the `item.wanted`, `reserved_for` by name."""

    item: Item
    messages: Sequence[Mapping[str, str]]
    reserved_for: str | None
    counted: int


@dataclass(frozen=True, slots=True)
class Found:
    """`next_after` is where the next page begins; `stopped_early` if it ends because enough was looked through."""

    rows: Sequence[Listed]
    next_after: int | None
    stopped_early: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A judgment with who made it, why they were shown the item, and the responses as they saw them."""

    judgment: Judgment
    judge: str
    reason: str
    shown: Sequence[str]


@dataclass(frozen=True, slots=True)
class Whole:
    """An item with everything that belongs to it; `responses` in the order of its record, `said` oldest first."""

    item: Item
    messages: Sequence[Mapping[str, str]]
    responses: Sequence[Response]
    reserved_for: User | None
    open_turns: int
    said: Sequence[Said]


def checked_words(words: str, *, field: str = "words") -> str:
    """What somebody looks for. Postgres refuses a NUL even in a query. Raises BadInput that names the field."""
    words = words.strip()
    if len(words) > LONGEST_WORDS or "\0" in words:
        raise BadInput(gettext("look for at most %(n)s characters, without NUL", n=LONGEST_WORDS), field=field)
    return words


def items_page(session: Session, project: Project, which: Which, words: str, *, after: int | None, limit: int) -> Found:
    """In the order of their numbers."""
    here = and_(Item.project_id == project.id, Item.id > (after or 0), _CONDITIONS[which])
    last_looked_at = None
    if words:
        walk = select(Item.id).where(here).order_by(Item.id).offset(LOOKED_THROUGH - 1).limit(1)
        last_looked_at = session.scalar(walk)
        here = and_(here, prompt_has(words), Item.id <= last_looked_at if last_looked_at is not None else true())
    counted = (
        select(func.count())
        .where(Judgment.item_id == Item.id, Judgment.is_current, Judgment.counted)
        .correlate(Item)
        .scalar_subquery()
    )
    statement = (
        select(Item, Prompt.messages, User.name, counted)
        .join(Prompt, Prompt.id == Item.prompt_id)
        .outerjoin(User, User.id == Item.reserved_for)
        .where(here)
        .order_by(Item.id)
        .limit(limit + 1)
    )
    rows = [Listed(*row) for row in session.execute(statement)]
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1].item.id, stopped_early=False)
    return Found(rows, last_looked_at, stopped_early=last_looked_at is not None)


def whole_item(session: Session, project: Project, item_id: int) -> Whole:
    found = session.execute(
        select(Item, Prompt.messages, User)
        .join(Prompt, Prompt.id == Item.prompt_id)
        .outerjoin(User, User.id == Item.reserved_for)
        .where(Item.id == item_id, Item.project_id == project.id)
    ).one_or_none()
    if found is None:
        raise NotFound(gettext("there is no item %(number)s in this project", number=item_id))
    item: Item = found[0]
    responses = {one.id: one for one in session.scalars(select(Response).where(Response.id.in_(item.response_ids)))}
    turns = select(func.count()).where(Assignment.item_id == item.id, Assignment.state == "open")
    return Whole(
        item=item,
        messages=found[1],
        responses=[responses[key] for key in item.response_ids],
        reserved_for=found[2],
        open_turns=session.scalar(turns) or 0,
        said=_said(session, item),
    )


def _said(session: Session, item: Item) -> list[Said]:
    rows: Any = session.execute(
        select(Judgment, User.name, Assignment.reason, Assignment.shown_order)
        .join(User, User.id == Judgment.user_id)
        .join(Assignment, Assignment.id == Judgment.assignment_id)
        .where(Judgment.item_id == item.id)
        .order_by(Judgment.id)
    )
    return [Said(judgment, name, reason, [str(key) for key in shown]) for judgment, name, reason, shown in rows]


def slug_of_item(session: Session, item_id: int) -> str:
    """The short name of the item's project, for its gate to be asked next."""
    slug = session.scalar(select(Project.slug).join(Item, Item.project_id == Project.id).where(Item.id == item_id))
    if slug is None:
        raise NotFound(gettext("there is no item %(number)s that you may see", number=item_id))
    return slug


def people_of(session: Session, project: Project) -> Sequence[User]:
    """For whom an item can be reserved: members, and admins, who need no membership."""
    member = exists().where(Membership.user_id == User.id, Membership.project_id == project.id)
    return session.scalars(
        select(User)
        .where(User.judge_kind == "human", User.disabled_at.is_(None), member | (User.role == "admin"))
        .order_by(User.name, User.id)
    ).all()
