"""What programs do with a run that was ordered: cancel it, resume it, extend it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.access import MayTrain
from app.db import SessionDep
from app.forms import RowNumber
from app.idempotency import once
from app.runs.api import RunAnswer, answer
from app.runs.queries import listed_run, run_by_id
from app.runs.verbs import cancel_run, extend_run, resume_run

router = APIRouter(tags=["runs"])
More = Annotated[int | None, Field(ge=1, le=1_000_000)]


class Extension(BaseModel):
    """One of the two: how many more `epochs`, for a run ordered in epochs, or how many more `steps`."""

    model_config = ConfigDict(extra="forbid")

    epochs: More = None
    steps: More = None


@router.post("/runs/{run_id}/cancel", operation_id="cancel_run")
def cancel(run_id: RowNumber, person: MayTrain, session: SessionDep) -> RunAnswer:
    """Cancel a run. A queued one ends at once, a running one after its step, with the state kept that `resume` goes on from."""
    run = cancel_run(session, person, run_by_id(session, person, run_id))
    return answer(listed_run(session, person, run.id))


@router.post("/runs/{run_id}/resume", status_code=202, operation_id="resume_run")
@once
def resume(run_id: RowNumber, person: MayTrain, session: SessionDep) -> RunAnswer:
    """Resume a run that failed or was cancelled; it goes on from the last state that was kept of it, on any trainer."""
    run = resume_run(session, person, run_by_id(session, person, run_id))
    return answer(listed_run(session, person, run.id))


@router.post("/runs/{run_id}/extend", status_code=202, operation_id="extend_run")
@once
def extend(run_id: RowNumber, given: Extension, person: MayTrain, session: SessionDep) -> RunAnswer:
    """Extend a finished run: it goes on for so many more epochs or steps and publishes one more version."""
    run = extend_run(session, person, run_by_id(session, person, run_id), epochs=given.epochs, steps=given.steps)
    return answer(listed_run(session, person, run.id))
