"""Verbs on judgments: store one, take it back, replace it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.access import Person
from app.kinds import Verdict


@dataclass(frozen=True, slots=True)
class Stored:
    """A judgment as it stands in the database, in the shape the API answers with; `replayed` if it was there before.

    `judgment` has id, assignment, item, outcome, tiers {response id: tier}, strength, comment, duration_ms, revision,
    counted, withdrawn, created_at.
    """

    judgment: dict[str, Any]
    project_id: int
    replayed: bool = False


def judge(
    session: Session, person: Person, assignment_id: int, verdict: Verdict, *, key: str, duration_ms: int | None = None
) -> Stored:
    """Store a judgment with its tuples. `key` names this attempt: a second call with it stores nothing."""
    raise NotImplementedError


def withdraw(session: Session, person: Person, judgment_id: int, *, key: str) -> Stored:
    """Undo: take a judgment back and open its turn again for the same person; `queue.claim` gives that turn next."""
    raise NotImplementedError


def revise(
    session: Session, person: Person, judgment_id: int, verdict: Verdict, *, key: str, duration_ms: int | None = None
) -> Stored:
    """Replace a judgment by another of the same turn; its tuples replace the old ones."""
    raise NotImplementedError
