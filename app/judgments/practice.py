"""Practice: a judgment of an item whose answer is known and meant to be told, beside that answer.

Only items marked for training are told about. A known answer that is hidden among the others stays hidden: whoever knew
which items are watched would take care with those alone.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import NotFound
from app.judgments.words import answer
from app.language import gettext as _
from app.models import Assignment, Item, Judgment, Project, Prompt, Response
from app.preference import dense


@dataclass(frozen=True, slots=True)
class Feedback:
    """`prompt` and `responses` as in a turn; `said` and `right` are the two answers in words."""

    judgment_id: int
    is_right: bool
    said: str
    right: str
    explanation: str
    prompt: list[dict[str, Any]]
    responses: list[tuple[str, str]]


def feedback(session: Session, person: Person, project: Project, judgment_id: int) -> Feedback:
    found = session.execute(
        select(Judgment, Assignment.shown_order, Item, Prompt.messages)
        .join(Assignment, Assignment.id == Judgment.assignment_id)
        .join(Item, Item.id == Judgment.item_id)
        .join(Prompt, Prompt.id == Item.prompt_id)
        .where(
            Judgment.id == judgment_id,
            Judgment.user_id == person.id,
            Judgment.project_id == project.id,
            ~Judgment.withdrawn,
            Item.is_training,
        )
    ).one_or_none()
    if found is None:
        raise NotFound(_("there is no such practice of yours"))
    judgment, shown_order, item, messages = found
    rows = session.execute(select(Response.id, Response.text).where(Response.id.in_(shown_order)))
    texts = {key: words for key, words in rows}  # noqa: C416 -- a Row is no tuple to mypy
    shown = [str(key) for key in shown_order]
    gold = item.gold or {}
    right = gold.get("outcome", ""), gold.get("tiers") or {}
    explanation = item.record_metadata.get("explanation")
    return Feedback(
        judgment_id=judgment.id,
        is_right=agrees((judgment.outcome, judgment.tiers), right),
        said=answer(judgment.outcome, judgment.tiers, shown, judgment.strength),
        right=answer(*right, shown),
        explanation=explanation if isinstance(explanation, str) else "",
        prompt=messages,
        responses=[(str(key), texts[key]) for key in shown_order],
    )


def agrees(said: tuple[str, dict[str, Any]], right: tuple[str, dict[str, Any]]) -> bool:
    """The same outcome and, for an order, the same order."""
    return said[0] == right[0] and (said[0] != "ranked" or dense(said[1]) == dense(right[1]))
