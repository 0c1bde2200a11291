"""What programs do before a run trains: ask what it would take, order several at once, say which comes first."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access import MayReadAll, MayTrain
from app.datasets.queries import dataset_asked_for
from app.db import SessionDep
from app.models import Dataset, Preflight
from app.runs.preflight import ask, preflight_by_id

router = APIRouter(tags=["runs"])


class PlannedRun(BaseModel):
    """`dataset` is an id, a name (its newest version) or name@v2."""

    model_config = ConfigDict(extra="forbid")

    method: str
    dataset: int | str
    base_model: str = "starter"
    settings: dict[str, Any] = {}


class PreflightAnswer(BaseModel):
    """`state` is queued, running, answered, refused or failed. Refused: the run would fail for the reason in `error`, which
    means the setting or part of the order in `field`. The `answer` holds `groups`, `lengths` (histograms in tokens, of equal
    `width` from 0), `truncation` (counts), `time` (in seconds, null where it cannot be tried) and `memory` (in bytes).
    """

    id: int
    state: str
    stage: str
    method: str
    dataset: int
    dataset_name: str
    base_model: str
    settings: dict[str, Any]
    answer: dict[str, Any]
    error: str | None
    field: Annotated[str | None, Field(description="The setting, or the part of the order, that is meant.")]
    created_at: datetime
    finished_at: datetime | None


def told(asked: Preflight, dataset: Dataset) -> PreflightAnswer:
    return PreflightAnswer(
        id=asked.id,
        state=asked.state,
        stage=asked.stage,
        method=asked.method,
        dataset=dataset.id,
        dataset_name=f"{dataset.name}@v{dataset.version}",
        base_model=asked.base_model,
        settings=asked.settings,
        answer=asked.answer,
        error=asked.error,
        field=asked.error_field,
        created_at=asked.created_at,
        finished_at=asked.finished_at,
    )


@router.post("/runs/preflight", status_code=202)
def preflight(given: PlannedRun, person: MayTrain, session: SessionDep, response: Response) -> PreflightAnswer:
    """Have a trainer look at a run before it is ordered: token lengths, what is cut, time and memory, or why it cannot work.

    It answers within seconds; ask for it at the address in `Location`.
    """
    dataset = dataset_asked_for(session, given.dataset)
    asked = ask(
        session,
        person,
        method=given.method,
        dataset=dataset,
        base_model=given.base_model,
        settings=given.settings,
    )
    session.refresh(asked)  # what the database filled in
    response.headers["Location"] = f"/api/v1/runs/preflight/{asked.id}"
    return told(asked, dataset)


@router.get("/runs/preflight/{preflight_id}")
def show_preflight(preflight_id: int, _: MayReadAll, session: SessionDep) -> PreflightAnswer:
    """What became of a question; kept for a week."""
    asked = preflight_by_id(session, preflight_id)
    return told(asked, session.get_one(Dataset, asked.dataset_id))
