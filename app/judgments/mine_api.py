"""One's own judgments of a project, for programs of whoever made them: which there are, and one of them with its revisions."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.access import MayRead
from app.db import SessionDep
from app.forms import RowNumber
from app.judgments import history, practice
from app.keyset import Paging
from app.projects.queries import project_for
from app.prompts.queries import checked_words

router = APIRouter(tags=["judging"])
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(9000, 12, 31))] | None
Outcome = Literal["ranked", "tie", "all_bad", "skip", "withdrawn"]


class OwnJudgment(BaseModel):
    """The newest revision of a turn. `shown` are its responses in the order in which they were shown."""

    id: int
    assignment: int
    outcome: str
    tiers: dict[str, int]
    strength: int | None
    skip_reason: str
    comment: str
    withdrawn: bool
    created_at: datetime
    prompt: list[dict[str, str]]
    shown: list[str]


class Revision(BaseModel):
    id: int
    revision: int
    outcome: str
    tiers: dict[str, int]
    strength: int | None
    skip_reason: str
    comment: str
    current: bool
    withdrawn: bool
    created_at: datetime


class ShownResponse(BaseModel):
    id: str
    text: str


class OwnTurn(BaseModel):
    """A turn of one's own with every revision of what was said, oldest first. Practice (`training`) cannot be changed."""

    assignment: int
    training: bool
    prompt: list[dict[str, str]]
    responses: list[ShownResponse]
    revisions: list[Revision]


class PracticeAnswer(BaseModel):
    """`said` and `right` are the two answers in words."""

    judgment: int
    is_right: bool
    said: str
    right: str
    explanation: str


def _messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{"role": str(one["role"]), "content": str(one["content"])} for one in messages]


@router.get("/projects/{slug}/judgments")
def list_own_judgments(
    slug: str,
    person: MayRead,
    session: SessionDep,
    paging: Paging,
    words: Annotated[str, Query(description="In the prompt, a response or the comment.")] = "",
    outcome: Outcome | None = None,
    since: Annotated[Day, Query(description="From this day on (UTC).")] = None,
    until: Annotated[Day, Query(description="Until this day (UTC).")] = None,
) -> list[OwnJudgment]:
    """List one's own judgments of the project, newest first. Of a long search a page may be empty and have a next."""
    project = project_for(session, person, slug)
    wanted = history.Wanted(checked_words(words), outcome or "", since, until)
    found = history.mine(session, person, project, wanted, after=paging.after, limit=paging.limit)
    paging.link(found.next_after)
    return [
        OwnJudgment(
            id=one.id,
            assignment=one.assignment_id,
            outcome=one.outcome,
            tiers=dict(one.tiers),
            strength=one.strength,
            skip_reason=one.skip_reason,
            comment=one.comment,
            withdrawn=one.withdrawn,
            created_at=one.created_at,
            prompt=_messages(one.messages),
            shown=list(one.shown),
        )
        for one in found.rows
    ]


@router.get("/projects/{slug}/turns/{assignment_id}")
def show_own_turn(slug: str, assignment_id: RowNumber, person: MayRead, session: SessionDep) -> OwnTurn:
    """Show a turn of one's own that was judged, with what was shown and every revision of what was said."""
    turn = history.shown(session, person, project_for(session, person, slug), assignment_id)
    return OwnTurn(
        assignment=turn.assignment_id,
        training=turn.is_practice,
        prompt=_messages(turn.prompt),
        responses=[ShownResponse(id=key, text=words) for key, words in turn.responses],
        revisions=[
            Revision(
                id=one.id,
                revision=one.revision,
                outcome=one.outcome,
                tiers=one.tiers,
                strength=one.strength,
                skip_reason=one.skip_reason,
                comment=one.comment,
                current=one.is_current,
                withdrawn=one.withdrawn,
                created_at=one.created_at,
            )
            for one in turn.revisions
        ],
    )


@router.get("/projects/{slug}/practice/{judgment_id}")
def show_practice(slug: str, judgment_id: RowNumber, person: MayRead, session: SessionDep) -> PracticeAnswer:
    """Show what one said in practice beside the right answer."""
    found = practice.feedback(session, person, project_for(session, person, slug), judgment_id)
    return PracticeAnswer(
        judgment=found.judgment_id,
        is_right=found.is_right,
        said=found.said,
        right=found.right,
        explanation=found.explanation,
    )
