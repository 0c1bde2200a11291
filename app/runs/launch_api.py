"""What programs do before a run trains: ask what it would take, order several at once, say which comes first."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.access import MayReadAll, MayTrain
from app.datasets.queries import dataset_asked_for
from app.db import SessionDep
from app.forms import RowNumber
from app.idempotency import once
from app.models import Dataset, Preflight, Run
from app.runs.api import Priority, RunAnswer, RunOrder
from app.runs.api import answer as run_answer
from app.runs.preflight import ask, preflight_by_id
from app.runs.queries import Listed, listed_run, run_by_id
from app.runs.service import order_run, set_priority, settings_like
from app.runs.sweep import order_sweep

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


class SweepOrder(RunOrder):
    """`vary` names one setting or two, each with its values; a run for each combination, at most 16."""

    vary: dict[str, list[Any]]


class RunChanges(BaseModel):
    """What is to be another than in the run that is done again; `settings` need only name those that change."""

    model_config = ConfigDict(extra="forbid")

    method: str | None = None
    dataset: int | str | None = None
    base_model: str | None = None
    settings: dict[str, Any] = {}
    name: str | None = None
    priority: Priority = 0


class NewPriority(BaseModel):
    model_config = ConfigDict(extra="forbid")

    priority: Priority


@router.post("/runs/preflight", status_code=202, operation_id="ask_preflight")
@once
def preflight(given: PlannedRun, person: MayTrain, session: SessionDep, response: Response) -> PreflightAnswer:
    """Have a trainer look at a run before it is ordered: token lengths, what is cut, time and memory, or why it cannot work.

    It answers within seconds; ask for it at the address in `Location`.
    """
    dataset = dataset_asked_for(session, person, given.dataset)
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
def show_preflight(preflight_id: RowNumber, person: MayReadAll, session: SessionDep) -> PreflightAnswer:
    """Show what became of a question to a trainer; kept for a week."""
    asked = preflight_by_id(session, person, preflight_id)
    return told(asked, session.get_one(Dataset, asked.dataset_id))


@router.post("/runs/sweep", status_code=202, operation_id="order_sweep")
@once
def sweep(given: SweepOrder, person: MayTrain, session: SessionDep) -> list[RunAnswer]:
    """Queue several runs that differ in one setting or two, all of them or none, each named after its values."""
    dataset = dataset_asked_for(session, person, given.dataset)
    runs = order_sweep(
        session,
        person,
        method=given.method,
        dataset=dataset,
        vary=given.vary,
        base_model=given.base_model,
        settings=given.settings,
        name=given.name,
        priority=given.priority,
    )
    return [run_answer(_fresh(session, run, dataset)) for run in runs]


@router.post("/runs/{run_id}/again", status_code=202)
@once
def order_again(
    run_id: RowNumber, given: RunChanges, person: MayTrain, session: SessionDep, response: Response
) -> RunAnswer:
    """Queue a run like this one, with changes: the same order through the same checks."""
    like = run_by_id(session, person, run_id)
    dataset = dataset_asked_for(session, person, like.dataset_id if given.dataset is None else given.dataset)
    run = order_run(
        session,
        person,
        method=given.method or like.method,
        dataset=dataset,
        base_model=given.base_model or like.base_model,
        settings=settings_like(session, like, given.method) | given.settings,
        name=given.name or like.checkpoint_name,
        priority=given.priority,
    )
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return run_answer(_fresh(session, run, dataset))


@router.post("/runs/{run_id}/priority")
def change_priority(run_id: RowNumber, given: NewPriority, person: MayTrain, session: SessionDep) -> RunAnswer:
    """Let a run that waits be taken earlier or later."""
    set_priority(session, person, run_by_id(session, person, run_id), given.priority)
    return run_answer(listed_run(session, person, run_id))


def _fresh(session: Session, run: Run, dataset: Dataset) -> Listed:
    session.refresh(run)  # what the database filled in
    return Listed(run, dataset, None)
