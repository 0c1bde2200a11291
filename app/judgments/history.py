"""Questions about one's own judgments: which there are, what was shown, and what was said when.

Nothing here names a model, another judge, or why an item was shown. A search walks back through the person's judgments
by the index on project, person and id, and looks into what each of them was about: no index over texts has to be kept
for it when prompts come in. It looks at no more than `LOOKED_THROUGH` of them at a time, so that it answers soon even
where somebody has judged a hundred thousand and the word is in none of them; the next page goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, and_, any_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from app.access import Person
from app.errors import NotFound
from app.language import gettext as _
from app.models import Assignment, Item, Judgment, Project, Prompt, Response
from app.projects.queries import readable
from app.prompts.search import has, prompt_has

LOOKED_THROUGH = 5_000
# Outcomes to filter by; the last is for those taken back.
OUTCOMES = ("ranked", "tie", "all_bad", "skip", "withdrawn")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which judgments: those that hold the words, of an outcome ("" for any), from a day until another one (UTC)."""

    words: str = ""
    outcome: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Mine:
    """A judgment of one's own in a list: the newest of its turn, with its responses in the order they were shown."""

    id: int
    assignment_id: int
    outcome: str
    tiers: Mapping[str, Any]
    strength: int | None
    skip_reason: str
    comment: str
    withdrawn: bool
    created_at: datetime
    shown: Sequence[str]
    messages: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Found:
    """`next_after` is where the next page begins; `stopped_early` if it ends because enough was looked through."""

    rows: Sequence[Mine]
    next_after: int | None
    stopped_early: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One's own turn: its prompt, its responses as (id, text) in the order shown, and every revision, oldest first.

    Practice cannot be changed.
    """

    assignment_id: int
    prompt: list[dict[str, str]]
    responses: list[tuple[str, str]]
    revisions: Sequence[Judgment]
    is_practice: bool

    @property
    def response_ids(self) -> list[UUID]:
        return [UUID(key) for key, _ in self.responses]

    @property
    def current(self) -> Judgment | None:
        return next((one for one in self.revisions if one.is_current), None)


def mine(session: Session, person: Person, project: Project, wanted: Wanted, *, after: int | None, limit: int) -> Found:
    """Newest first."""
    which = and_(*_conditions(person, project, wanted, after))
    last_looked_at = None
    if wanted.words:
        walk = select(Judgment.id).where(which).order_by(Judgment.id.desc()).offset(LOOKED_THROUGH - 1).limit(1)
        last_looked_at = session.scalar(walk)
        which = and_(which, _holds(wanted.words))
        if last_looked_at is not None:
            which = and_(which, Judgment.id >= last_looked_at)
    rows = [_mine(row) for row in session.execute(_rows(which).limit(limit + 1))]
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1].id, stopped_early=False)
    return Found(rows, last_looked_at, stopped_early=last_looked_at is not None)


def _rows(which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(Judgment, Assignment.shown_order, Prompt.messages)
        .join(Assignment, Assignment.id == Judgment.assignment_id)
        .join(Item, Item.id == Judgment.item_id)
        .join(Prompt, Prompt.id == Item.prompt_id)
        .where(which)
        .order_by(Judgment.id.desc())
    )


def _mine(row: Any) -> Mine:
    judgment, shown, messages = row
    return Mine(
        id=judgment.id,
        assignment_id=judgment.assignment_id,
        outcome=judgment.outcome,
        tiers=judgment.tiers,
        strength=judgment.strength,
        skip_reason=judgment.skip_reason,
        comment=judgment.comment,
        withdrawn=judgment.withdrawn,
        created_at=judgment.created_at,
        shown=[str(key) for key in shown],
        messages=messages,
    )


def _conditions(
    person: Person, project: Project, wanted: Wanted, after: int | None
) -> list[ColumnExpressionArgument[bool]]:
    which: list[ColumnExpressionArgument[bool]] = [Judgment.project_id == project.id, Judgment.user_id == person.id]
    if wanted.outcome == "withdrawn":
        later = aliased(Judgment)
        newer = exists().where(later.assignment_id == Judgment.assignment_id, later.revision > Judgment.revision)
        which += [Judgment.withdrawn, ~newer]
    else:
        which.append(Judgment.is_current)
        which += [Judgment.outcome == wanted.outcome] if wanted.outcome else []
    if wanted.since is not None:
        which.append(Judgment.created_at >= wanted.since)
    if wanted.until is not None:
        which.append(Judgment.created_at < wanted.until + timedelta(days=1))
    if after is not None:
        which.append(Judgment.id < after)
    return which


def _holds(words: str) -> ColumnElement[bool]:
    """Whether the comment, a turn of the prompt or a response has the words."""
    in_prompt = (
        select(Item.id).join(Prompt, Prompt.id == Item.prompt_id).where(Item.id == Judgment.item_id, prompt_has(words))
    )
    in_responses = (
        select(Item.id)
        .join(Response, Response.id == any_(Item.response_ids))
        .where(Item.id == Judgment.item_id, has(Response.text, words))
    )
    return or_(has(Judgment.comment, words), in_prompt.exists(), in_responses.exists())


def shown(session: Session, person: Person, project: Project, assignment_id: int) -> Shown:
    """A turn of one's own that was judged, whatever became of the judgment."""
    found = session.execute(
        select(Assignment.shown_order, Prompt.messages, Assignment.reason)
        .join(Item, Item.id == Assignment.item_id)
        .join(Prompt, Prompt.id == Item.prompt_id)
        .where(Assignment.id == assignment_id, Assignment.user_id == person.id, Assignment.project_id == project.id)
    ).one_or_none()
    revisions = session.scalars(
        select(Judgment).where(Judgment.assignment_id == assignment_id).order_by(Judgment.revision)
    ).all()
    if found is None or not revisions:
        raise NotFound(_("there is no such judgment of yours"))
    texts = _texts(session, found.shown_order)
    pairs = [(str(key), text) for key, text in zip(found.shown_order, texts, strict=True)]
    return Shown(assignment_id, found.messages, pairs, revisions, is_practice=found.reason == "training")


def shown_texts(session: Session, person: Person, assignment_id: int) -> tuple[Project, Sequence[str]]:
    """The responses of one's own turn, judged or not, in the order shown."""
    found = session.execute(
        readable(person)
        .join(Assignment, Assignment.project_id == Project.id)
        .where(Assignment.id == assignment_id, Assignment.user_id == person.id)
        .add_columns(Assignment.shown_order)
    ).one_or_none()
    if found is None:
        raise NotFound(_("there is no such turn of yours"))
    project, order = found
    return project, _texts(session, order)


def _texts(session: Session, order: Sequence[UUID]) -> list[str]:
    rows = session.execute(select(Response.id, Response.text).where(Response.id.in_(order)))
    texts = dict(rows.all())
    return [texts[key] for key in order]
