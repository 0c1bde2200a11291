"""Turns for programs: what to judge next, and keeping or giving back what one has."""

from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.access import MayJudge, program
from app.db import SessionDep, quick_unit
from app.forms import RowNumber
from app.projects.quick import project_to_read
from app.queue.service import Turn, claim, reach_turn, release, renew

router = APIRouter(tags=["judging"])


@router.post("/projects/{slug}/next", response_class=Response)
def next_turn(slug: str, request: Request) -> Response:
    """Ask for the next turn. It is the one you have, the same until you judge it, or else a new one. 204 when nothing is left for you.

    The transaction is opened here and not by a dependency, which would cost a second trip to the thread pool.
    """
    with quick_unit() as unit:
        person = program(unit, request, "judge")
        project = project_to_read(unit, person, slug)
        turn = claim(unit, person.id, project.id)
    if turn is None:
        return Response(status_code=204)
    return Response(orjson.dumps(shown(turn)), media_type="application/json")


def shown(turn: Turn) -> dict[str, Any]:
    """A turn in the shape that programs see. Why it is shown is left out, but for training."""
    return {
        "assignment": turn.assignment_id,
        "item": turn.item_id,
        "prompt": turn.prompt,
        "responses": [{"id": key, "text": words} for key, words in turn.responses],
        "expires_at": turn.expires_at,
        "training": turn.is_training,
    }


class Renewed(BaseModel):
    expires_at: datetime


@router.post("/assignments/{assignment_id}/renew")
def renew_turn(assignment_id: RowNumber, person: MayJudge, session: SessionDep) -> Renewed:
    """Keep a turn while somebody is at it; also one that ran out and that nobody has taken. 409 when it is over."""
    reach_turn(session, person, assignment_id)
    return Renewed(expires_at=renew(session, person.id, assignment_id))


@router.post("/assignments/{assignment_id}/release", status_code=204)
def release_turn(assignment_id: RowNumber, person: MayJudge, session: SessionDep) -> None:
    """Give a turn back, for somebody else to take."""
    reach_turn(session, person, assignment_id)
    release(session, person.id, assignment_id)
