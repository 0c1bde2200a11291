"""Turns for programs: what to judge next."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.access import program
from app.db import work_unit
from app.projects.queries import project_for
from app.queue.service import Turn, claim

router = APIRouter(tags=["judging"])


@router.post("/projects/{slug}/next", response_class=Response)
def next_turn(slug: str, request: Request) -> Response:
    """The turn you have, the same until you judge it, or else a new one. 204 when nothing is left for you.

    The transaction is opened here and not by a dependency, which would cost a second trip to the thread pool.
    """
    with work_unit() as session:
        person = program(session, request, "judge")
        project = project_for(session, person, slug)
        turn = claim(session, person.id, project.id)
    if turn is None:
        return Response(status_code=204)
    return Response(orjson.dumps(shown(turn)), media_type="application/json")


def shown(turn: Turn) -> dict[str, Any]:
    """A turn in the shape that programs see."""
    return {
        "assignment": turn.assignment_id,
        "item": turn.item_id,
        "prompt": turn.prompt,
        "responses": [{"id": key, "text": words} for key, words in turn.responses],
        "expires_at": turn.expires_at,
    }
