"""The buttons of a run's page: cancel, resume, extend."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Admin, Person
from app.db import SessionDep
from app.forms import Fields, RowNumber, whole_number
from app.pages import go_to, is_fragment_wanted, render
from app.runs.curves import Look, Looking
from app.runs.queries import run_by_id
from app.runs.verbs import cancel_run, counts_steps, extend_run, resume_run
from app.runs.watch import run_page

router = APIRouter()


@router.post("/runs/{run_id}/cancel")
def cancel(run_id: RowNumber, request: Request, session: SessionDep, person: Admin, look: Looking) -> Response:
    cancel_run(session, person, run_by_id(session, person, run_id))
    return _shown(request, session, person, run_id, look)


@router.post("/runs/{run_id}/resume")
def resume(run_id: RowNumber, request: Request, session: SessionDep, person: Admin, look: Looking) -> Response:
    resume_run(session, person, run_by_id(session, person, run_id))
    return _shown(request, session, person, run_id, look)


@router.post("/runs/{run_id}/extend")
def extend(
    run_id: RowNumber, request: Request, session: SessionDep, person: Admin, look: Looking, typed: Fields
) -> Response:
    run = run_by_id(session, person, run_id)
    more = whole_number(typed, "more")
    extend_run(session, person, run, **{"steps" if counts_steps(run) else "epochs": more})
    return _shown(request, session, person, run_id, look)


def _shown(request: Request, session: Session, person: Person, run_id: int, look: Look) -> Response:
    if is_fragment_wanted(request):
        return render(request, "runs/_progress.html", run_page(session, person, run_id, look))
    return go_to(request, f"/runs/{run_id}")
