"""Pages: the runs, and one of them live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Admin, Person
from app.charts import Chart
from app.db import SessionDep
from app.keyset import After, Limit, cut
from app.models import Run, Trainer, User
from app.pages import Page, go_to, is_fragment_wanted, render
from app.run_states import OVER
from app.runs.curves import charts
from app.runs.diagnosis import Finding, diagnose
from app.runs.form import words
from app.runs.queries import (
    Listed,
    announced,
    curve,
    listed_run,
    live_trainers,
    run_by_id,
    runs_ahead,
    runs_page,
)
from app.runs.results import Results, facts_in_words, results_in_words
from app.runs.verbs import cancel_run

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class RunsPage(Page):
    runs: Sequence[Listed]
    next_after: int | None
    trainers: Sequence[Trainer]


@dataclass(frozen=True, kw_only=True)
class RunPage(Page):
    """`seconds` is how long it has been running, or ran; `ahead` how many runs a queued one waits for."""

    listed: Listed
    is_over: bool
    seconds: float | None
    ahead: int
    is_waiting_for_trainer: bool
    charts: Sequence[Chart]
    more_charts: Sequence[Chart]
    results: Results
    findings: Sequence[Finding]
    facts: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    ordered_by: str


@router.get("/runs")
def runs(request: Request, session: SessionDep, person: Admin, after: After = None, limit: Limit = 50) -> Response:
    page = cut(runs_page(session, after=after, limit=limit), limit, key=lambda row: row.run.id)
    shown = RunsPage(person=person, runs=page.rows, next_after=page.next_after, trainers=live_trainers(session))
    return render(request, "runs/runs.html", shown)


def run_page(session: Session, person: Person, run_id: int) -> RunPage:
    found = listed_run(session, run_id)
    run = found.run
    is_over = run.state in OVER
    end = run.finished_at or datetime.now(UTC)
    measured = curve(session, run)
    drawn = charts(measured)
    return RunPage(
        person=person,
        listed=found,
        is_over=is_over,
        seconds=max(0.0, (end - run.started_at).total_seconds()) if run.started_at is not None else None,
        ahead=runs_ahead(session, run) if run.state == "queued" else 0,
        is_waiting_for_trainer=run.state == "queued" and not live_trainers(session),
        charts=drawn.main,
        more_charts=drawn.more,
        results=results_in_words(run.results),
        findings=diagnose(run.method, run.settings, run.facts, run.results, measured),
        facts=facts_in_words({name: fact for name, fact in run.facts.items() if name != "settings"}),
        settings=_settings(session, run),
        ordered_by=session.get_one(User, run.created_by).name,
    )


def _settings(session: Session, run: Run) -> list[tuple[str, str]]:
    """Those in force, with what the trainer chose where the order left it open; in the order of the form, if it is known."""
    in_force = run.settings | run.facts.get("settings", {})
    method = announced(session).known.get(run.method)
    order = [setting.name for setting in method.settings] if method is not None else []
    names = sorted(in_force, key=lambda name: (order.index(name) if name in order else len(order), name))
    return [(name, words(in_force[name])) for name in names]


@router.get("/runs/{run_id}")
def run(run_id: int, request: Request, session: SessionDep, person: Admin) -> Response:
    return render(request, "runs/run.html", run_page(session, person, run_id))


@router.get("/runs/{run_id}/progress")
def progress(run_id: int, request: Request, session: SessionDep, person: Admin) -> Response:
    """Asked for every two seconds until the run is over."""
    return render(request, "runs/_progress.html", run_page(session, person, run_id))


@router.post("/runs/{run_id}/cancel")
def cancel(run_id: int, request: Request, session: SessionDep, person: Admin) -> Response:
    cancel_run(session, person, run_by_id(session, run_id))
    if is_fragment_wanted(request):
        return render(request, "runs/_progress.html", run_page(session, person, run_id))
    return go_to(request, f"/runs/{run_id}")
