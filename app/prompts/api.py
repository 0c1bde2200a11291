"""Items for programs of whoever manages their project: list them, see one with all that was said, change how it is handed out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from app.access import MayAdminister, MayRead, Person
from app.db import SessionDep
from app.errors import BadInput, NotFound
from app.forms import RowNumber
from app.keyset import Paging
from app.kinds import Verdict
from app.language import gettext
from app.models import Project
from app.people.service import user_by_email
from app.projects.queries import managed_project
from app.prompts import items
from app.prompts.items import Managed, managed_item
from app.prompts.queries import Listed, Said, Which, Whole, checked_words, items_page, slug_of_item, whole_item

router = APIRouter(tags=["items"])


class ItemAnswer(BaseModel):
    """`wanted` and `counted` are judgments, `open` is how many more may be claimed. `reserved_for` is a name."""

    id: int
    external_id: str | None
    prompt: list[dict[str, str]]
    wanted: int
    open: int
    counted: int
    priority: float
    set_aside: bool
    reserved_for: str | None
    gold: dict[str, Any] | None
    training: bool
    repeat_of: int | None


class ResponseAnswer(BaseModel):
    id: UUID
    text: str
    model: str | None
    score: float | None


class JudgmentAnswer(BaseModel):
    id: int
    judge: str
    judge_kind: str
    reason: str
    outcome: str
    tiers: dict[str, int]
    dimensions: dict[str, dict[str, int]]
    strength: int | None
    comment: str
    skip_reason: str
    shown: list[str]
    revision: int
    current: bool
    withdrawn: bool
    counted: bool
    created_at: datetime


class WholeItemAnswer(ItemAnswer):
    metadata: dict[str, Any]
    open_turns: int
    responses: list[ResponseAnswer]
    judgments: list[JudgmentAnswer]


class Gold(BaseModel):
    """The right answer: its outcome, and the place of each response by its id where it has one."""

    model_config = ConfigDict(extra="forbid")

    outcome: str = Field(max_length=40)
    tiers: dict[UUID, StrictInt] = Field(default_factory=dict, max_length=100)


class ItemChanges(BaseModel):
    """What is left out stays. `reserved_for` is an e-mail address, null for everybody; `gold` null makes it ordinary."""

    model_config = ConfigDict(extra="forbid")

    set_aside: bool | None = None
    priority: float | None = None
    reserved_for: str | None = Field(default=None, max_length=320)
    gold: Gold | None = None
    training: bool | None = None


@router.get("/projects/{slug}/items")
def list_items(
    slug: str,
    person: MayRead,
    session: SessionDep,
    paging: Paging,
    which: Which = "all",
    words: str = "",
) -> list[ItemAnswer]:
    """List items in the order they came in; `words` are looked for in the prompts. Of a long search a page may be empty and have a next."""
    project = managed_project(session, person, slug)
    found = items_page(session, project, which, checked_words(words), after=paging.after, limit=paging.limit)
    paging.link(found.next_after)
    return [ItemAnswer(**_listed(one)) for one in found.rows]


@router.get("/items/{item_id}")
def show_item(item_id: RowNumber, person: MayRead, session: SessionDep) -> WholeItemAnswer:
    """Show an item with its responses and all that was said about it."""
    project = _project_of(session, person, item_id)
    return _whole(whole_item(session, project, item_id))


@router.patch("/items/{item_id}")
def change_item(
    item_id: RowNumber, changes: ItemChanges, person: MayAdminister, session: SessionDep
) -> WholeItemAnswer:
    """Change an item: set it aside or open it again, set a priority (below 0 is urgent), reserve it, make it gold, training or ordinary."""
    project = _project_of(session, person, item_id)
    managed = managed_item(session, person, project, item_id)
    given = changes.model_fields_set
    if "set_aside" in given:
        (items.set_aside if changes.set_aside else items.open_again)(managed)
    if "priority" in given:
        items.set_priority(managed, changes.priority)
    if given & {"gold", "training"}:
        _set_gold(managed, changes)
    if "reserved_for" in given:
        _reserve(managed, changes.reserved_for)
    return _whole(whole_item(session, project, item_id))


def _project_of(session: SessionDep, person: Person, item_id: int) -> Project:
    """The item's, if they manage it. A stranger hears the same of an item that is there and of one that is not."""
    try:
        return managed_project(session, person, slug_of_item(session, item_id))
    except NotFound:
        raise NotFound(gettext("there is no item %(number)s that you may see", number=item_id)) from None


def _set_gold(managed: Managed, changes: ItemChanges) -> None:
    if "gold" in changes.model_fields_set and changes.gold is None:
        if changes.training:
            raise BadInput(gettext("training needs a right answer; send “gold” with it"), field="training")
        items.make_ordinary(managed)
        return
    if changes.gold is not None:
        answer = Verdict(changes.gold.outcome, changes.gold.tiers)
    elif managed.item.gold is not None:
        answer = items.answer_in(managed.item)
    else:
        raise BadInput(gettext("training needs a right answer; send “gold” with it"), field="training")
    training = managed.item.is_training if changes.training is None else changes.training
    items.make_gold(managed, answer, is_training=training)


def _reserve(managed: Managed, email: str | None) -> None:
    if email is None:
        items.unreserve(managed)
        return
    try:
        user = user_by_email(managed.session, email)
    except NotFound as unknown:
        raise BadInput(unknown.message, field="reserved_for") from None
    items.reserve(managed, user)


def _listed(one: Listed) -> dict[str, Any]:
    item = one.item
    return {
        "id": item.id,
        "external_id": item.external_id,
        "prompt": one.messages,
        "wanted": item.wanted,
        "open": item.open_slots,
        "counted": one.counted,
        "priority": item.priority,
        "set_aside": item.set_aside,
        "reserved_for": one.reserved_for,
        "gold": item.gold,
        "training": item.is_training,
        "repeat_of": item.repeat_of,
    }


def _whole(whole: Whole) -> WholeItemAnswer:
    counted = sum(one.judgment.is_current and one.judgment.counted for one in whole.said)
    name = whole.reserved_for.name if whole.reserved_for else None
    return WholeItemAnswer(
        **_listed(Listed(whole.item, whole.messages, name, counted)),
        metadata=whole.item.record_metadata,
        open_turns=whole.open_turns,
        responses=[
            ResponseAnswer(id=one.id, text=one.text, model=one.model, score=one.score) for one in whole.responses
        ],
        judgments=_judgments(whole.said),
    )


def _judgments(said: Sequence[Said]) -> list[JudgmentAnswer]:
    return [
        JudgmentAnswer(
            id=one.judgment.id,
            judge=one.judge,
            judge_kind=one.judgment.judge_kind,
            reason=one.reason,
            outcome=one.judgment.outcome,
            tiers=one.judgment.tiers,
            dimensions=one.judgment.dimensions,
            strength=one.judgment.strength,
            comment=one.judgment.comment,
            skip_reason=one.judgment.skip_reason,
            shown=list(one.shown),
            revision=one.judgment.revision,
            current=one.judgment.is_current,
            withdrawn=one.judgment.withdrawn,
            counted=one.judgment.counted,
            created_at=one.judgment.created_at,
        )
        for one in said
    ]
