"""Judgments for programs: send one, take it back, fetch the tuples.

Sending is `Direct`, opens its transaction itself and answers in bytes, since this is the call that every key press waits
for: one trip to the thread pool, and no second look at an answer that came out of the database in its final form.
"""

from collections.abc import Generator
from contextlib import closing
from functools import lru_cache
from threading import BoundedSemaphore
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from starlette.types import Receive, Scope, Send

from app.access import MayExport, MayJudge, program
from app.db import SessionDep, commit_behind, quick_unit
from app.direct import Direct, in_thread, read_json, read_parameters
from app.errors import Away
from app.forms import LARGEST_ID, RowNumber
from app.judgments import service
from app.judgments.preferences import preference_lines, with_trailer
from app.kinds import Verdict
from app.kinds.verdict import LONGEST_COMMENT, LONGEST_SKIP_REASON
from app.language import gettext as _
from app.projects.queries import managed_project
from app.queue.api import shown
from app.queue.service import claim, claiming
from app.settings import get_settings

direct = APIRouter(tags=["judging"], route_class=Direct)
router = APIRouter(tags=["judging"])

WAIT_FOR_A_PLACE_S = 5
LONGEST_OUTCOME = 40
LONGEST_NAME = 200
Tiers = Annotated[dict[UUID, StrictInt], Field(max_length=100)]
Key = Annotated[str, Header(alias="Idempotency-Key", description="A new one for each decision, the same when retried.")]


class JudgmentOrder(BaseModel):
    """`tiers` gives each response's place by its id, 1 for the best; `strength` is 1 to 3, for a choice between two.

    `dimensions` has such tiers for each dimension of the project that was answered, by its name.

    The limits on lengths also see to it that text is made of whole characters: JSON can spell halves of them, which no
    database takes.
    """

    model_config = ConfigDict(extra="forbid")

    outcome: str = Field(max_length=LONGEST_OUTCOME)
    tiers: Tiers = Field(default_factory=dict)
    dimensions: dict[Annotated[str, Field(max_length=LONGEST_NAME)], Tiers] = Field(
        default_factory=dict, max_length=100
    )
    strength: StrictInt | None = None
    comment: str = Field(default="", max_length=LONGEST_COMMENT)
    skip_reason: str = Field(default="", max_length=LONGEST_SKIP_REASON)
    duration_ms: int | None = Field(default=None, ge=0, le=LARGEST_ID)

    def verdict(self) -> Verdict:
        return Verdict(self.outcome, self.tiers, self.strength, self.comment, self.dimensions, self.skip_reason)


class _Place(BaseModel):
    """Where a judgment belongs, as the address says it."""

    assignment_id: RowNumber
    and_next: bool = Field(default=False, validation_alias="next")


def judgment_request(
    assignment_id: RowNumber,
    order: JudgmentOrder,
    key: Key = "",
    and_next: Annotated[bool, Query(alias="next", description="Answer with the next turn as well.")] = False,
) -> None:
    """What `judge` reads, for the description of the API."""


@direct.post(
    "/assignments/{assignment_id}/judgment",  # noqa: FAST003 -- read by hand
    status_code=201,
    response_class=Response,
    dependencies=[Depends(judgment_request)],
)
async def judge(request: Request) -> Response:
    """Store a judgment. It is 200 when this key stored it before. With `?next=1` the answer holds the next turn as well."""
    place = read_parameters(_Place, "path", {**request.query_params, **request.path_params})
    order = read_json(JudgmentOrder, await request.body())
    return await in_thread(_judge, request, place, order)


def _judge(request: Request, place: _Place, order: JudgmentOrder) -> Response:
    key = request.headers.get("idempotency-key", "")
    with quick_unit() as unit:
        person = program(unit, request, "judge")
        claims = []

        def claim_behind(project_id: int, _: str) -> None:
            if place.and_next:
                claims.append(claiming(unit, person.id, project_id))
            commit_behind(unit)

        stored = service.judge(
            unit,
            person,
            place.assignment_id,
            order.verdict(),
            key=key,
            duration_ms=order.duration_ms,
            meanwhile=claim_behind,
        )
        answer: dict[str, Any] = {"judgment": stored.judgment}
        if place.and_next:
            turn = claims[-1]() if claims else claim(unit, person.id, stored.project_id, is_locked=True)
            answer["next"] = shown(turn) if turn is not None else None
    return Response(orjson.dumps(answer), 200 if stored.replayed else 201, media_type="application/json")


@router.post("/judgments/{judgment_id}/revise", status_code=201, operation_id="revise_judgment")
def revise(
    judgment_id: RowNumber,
    order: JudgmentOrder,
    person: MayJudge,
    session: SessionDep,
    response: Response,
    key: Key = "",
) -> dict[str, Any]:
    """Replace a judgment of yours by another one of the same turn; 200 when this key replaced it before."""
    stored = service.revise(session, person, judgment_id, order.verdict(), key=key, duration_ms=order.duration_ms)
    if stored.replayed:
        response.status_code = 200
    return {"judgment": stored.judgment}


@router.post("/judgments/{judgment_id}/withdraw", status_code=201, operation_id="withdraw_judgment")
def withdraw(
    judgment_id: RowNumber, person: MayJudge, session: SessionDep, response: Response, key: Key = ""
) -> dict[str, Any]:
    """Undo: take a judgment back. Its turn is yours again, and `next` answers with it."""
    stored = service.withdraw(session, person, judgment_id, key=key)
    if stored.replayed:
        response.status_code = 200
    return {"judgment": stored.judgment}


@lru_cache
def places() -> BoundedSemaphore:
    """How many streams a process sends at once: each holds a database connection for as long as its reader takes."""
    return BoundedSemaphore(max(1, get_settings().pool_size // 2))


class Lines(StreamingResponse):
    """NDJSON from a generator, which is closed however the stream ends.

    Whoever goes away halfway would otherwise leave its database connection in the hands of a waiting thread. Raises Away
    where all places are taken, so that readers, however many and slow, leave most connections to everybody else.
    """

    media_type = "application/x-ndjson"

    def __init__(self, lines: Generator[bytes]) -> None:
        super().__init__(lines)
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not places().acquire(blocking=False):
            words = _("as many exports as this server sends at once are on their way; please try again in a moment")
            raise Away(words, retry_after_s=WAIT_FOR_A_PLACE_S)
        try:
            with closing(self._lines):
                await super().__call__(scope, receive, send)
        finally:
            places().release()


@router.get("/projects/{slug}/preferences", status_code=200, response_class=Lines)
def preferences(slug: str, person: MayExport, session: SessionDep) -> Lines:
    """Stream every tuple (x, a⁺, a⁻) in force, one JSON object a line, in the shape that preference trainers read.

    The last line says how many there were; a stream without it was cut off.
    """
    project = managed_project(session, person, slug)
    return Lines(with_trailer(preference_lines(project)))
