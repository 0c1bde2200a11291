"""The page of all runs, with its filters, and the form for a run's tags and note."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Admin
from app.db import SessionDep
from app.forms import Fields, RowNumber
from app.keyset import After, Limit, cut
from app.language import gettext as _
from app.models import Trainer
from app.models.run import STATES
from app.pages import Page, go_to, render
from app.runs.labels import label_run
from app.runs.listing import Filtered, Filters, Known, known_to_runs, runs_page
from app.runs.queries import Listed, live_trainers, run_by_id
from app.settings import comma_separated

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class RunsPage(Page):
    """`known` and `states` are what the filters offer."""

    runs: Sequence[Listed]
    next_after: int | None
    trainers: Sequence[Trainer]
    filters: Filters
    known: Known
    states: Sequence[str]


@router.get("/runs")
def runs(
    request: Request, session: SessionDep, person: Admin, filters: Filtered, after: After = None, limit: Limit = 50
) -> Response:
    page = cut(runs_page(session, person, filters, after=after, limit=limit), limit, key=lambda row: row.run.id)
    shown = RunsPage(
        person=person,
        runs=page.rows,
        next_after=page.next_after,
        trainers=live_trainers(session),
        filters=filters,
        known=known_to_runs(session),
        states=STATES,
    )
    return render(request, "runs/runs.html", shown)


@router.post("/runs/{run_id}/labels")
def labels(run_id: RowNumber, request: Request, session: SessionDep, person: Admin, typed: Fields) -> Response:
    """Tags are separated by commas."""
    tags = comma_separated(typed.get("tags", ""))
    label_run(session, person, run_by_id(session, person, run_id), tags=tags, note=typed.get("note", ""))
    return go_to(request, f"/runs/{run_id}", notice=_("Saved."))
