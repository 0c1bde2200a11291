"""The page of all runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Admin
from app.db import SessionDep
from app.keyset import After, Limit, cut
from app.models import Trainer
from app.pages import Page, render
from app.runs.queries import Listed, live_trainers, runs_page

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class RunsPage(Page):
    runs: Sequence[Listed]
    next_after: int | None
    trainers: Sequence[Trainer]


@router.get("/runs")
def runs(request: Request, session: SessionDep, person: Admin, after: After = None, limit: Limit = 50) -> Response:
    page = cut(runs_page(session, after=after, limit=limit), limit, key=lambda row: row.run.id)
    shown = RunsPage(person=person, runs=page.rows, next_after=page.next_after, trainers=live_trainers(session))
    return render(request, "runs/runs.html", shown)
