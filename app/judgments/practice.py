"""Practice: a judgment of an item whose answer is known and meant to be told, beside that answer.

Only items marked for training are told about. A known answer that is hidden among the others stays hidden: whoever knew
which items are watched would take care with those alone.
"""

from dataclasses import dataclass
from typing import Any, LiteralString

from app.access import Person
from app.db import Unit, fetch
from app.errors import NotFound
from app.judgments.words import answer
from app.language import gettext as _
from app.models import Project
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


_PRACTICE: LiteralString = """
    SELECT outcome, tiers, strength, shown_order, coalesce(gold, '{}') AS gold, metadata, messages, ARRAY(
        SELECT response.text FROM unnest(shown_order) WITH ORDINALITY AS shown (id, place)
        JOIN response ON response.id = shown.id ORDER BY shown.place) AS texts
    FROM judgment JOIN assignment ON assignment.id = judgment.assignment_id
    JOIN item ON item.id = judgment.item_id JOIN prompt ON prompt.id = item.prompt_id
    WHERE judgment.id = %(judgment_id)s AND judgment.user_id = %(person_id)s AND judgment.project_id = %(project_id)s
    AND NOT withdrawn AND is_training
"""


def feedback(unit: Unit, person: Person, project: Project, judgment_id: int) -> Feedback:
    asked = {"judgment_id": judgment_id, "person_id": person.id, "project_id": project.id}
    found = fetch(unit, _PRACTICE, asked)
    if not found:
        raise NotFound(_("there is no such practice of yours"))
    (row,) = found
    shown = [str(key) for key in row["shown_order"]]
    right = row["gold"].get("outcome", ""), row["gold"].get("tiers") or {}
    explanation = row["metadata"].get("explanation")
    return Feedback(
        judgment_id=judgment_id,
        is_right=agrees((row["outcome"], row["tiers"]), right),
        said=answer(row["outcome"], row["tiers"], shown, row["strength"]),
        right=answer(*right, shown),
        explanation=explanation if isinstance(explanation, str) else "",
        prompt=row["messages"],
        responses=list(zip(shown, row["texts"], strict=True)),
    )


def agrees(said: tuple[str, dict[str, Any]], right: tuple[str, dict[str, Any]]) -> bool:
    """The same outcome and, for an order, the same order."""
    return said[0] == right[0] and (said[0] != "ranked" or dense(said[1]) == dense(right[1]))
