"""A run's log, for programs: text that can be asked for like a file."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.access import MayReadAll
from app.db import SessionDep
from app.downloads import download
from app.forms import RowNumber
from app.runs.log import log_of
from app.runs.queries import run_by_id
from app.storage import Stored

router = APIRouter(tags=["runs"])
Tail = Annotated[int | None, Query(ge=1, le=10_000, description="Only so many of its last lines.")]


@router.head("/runs/{run_id}/log", response_class=Response, include_in_schema=False)
@router.get("/runs/{run_id}/log", response_class=Response)
def run_log(
    run_id: RowNumber, person: MayReadAll, session: SessionDep, request: Request, tail: Tail = None
) -> Response:
    """Read a run's log, all attempts on whatever machines; empty before it has said anything.

    Each attempt begins with a line that says which it is, where and since when. It is there a few seconds after it was said. `If-None-Match`
    with the last `ETag` asks whether there is something new (304 if not), and `Range: bytes=-2000` for its end.
    """
    run = run_by_id(session, person, run_id)
    text = log_of(session, run, lines=tail).encode()
    file = Stored("log.txt", len(text), hashlib.sha256(text).hexdigest())
    return download(request, "", file, save_as=f"run-{run.id}-log.txt", made=text)
