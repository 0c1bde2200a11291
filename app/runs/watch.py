"""The page of one run, live: where it stands, its curves, what looks wrong with it, and what came of it.

It asks for its part that changes again and again, with the version that it has; while nothing has happened the answer is one
small query and no content. It rests while nobody looks (`static/live.js`), and stops once the run is over.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import Admin, Person
from app.charts import Chart
from app.db import SessionDep
from app.forms import RowNumber
from app.language import gettext as _
from app.models import Run, RunMirror, RunWatch, User
from app.pages import Page, render
from app.run_states import OVER
from app.runs.curves import MAIN_NAMES, Look, Looking, charts
from app.runs.diagnosis import Finding, diagnose
from app.runs.form import words
from app.runs.measured import measured, sampled
from app.runs.mirrors import mirrors_in_words, mirrors_of
from app.runs.queries import Listed, announced, listed_run, run_by_id
from app.runs.results import Results, facts_in_words, results_in_words
from app.runs.samples import Samples, samples_of
from app.runs.usage import Facts, of_process
from app.runs.waiting import why_it_waits

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands; `waits` says in words what a queued one waits for. `version` changes with anything the page shows."""

    waits: str | None
    version: str


@dataclass(frozen=True, kw_only=True)
class RunPage(Page):
    """`seconds` is how long it has been running, or ran."""

    listed: Listed
    is_over: bool
    seconds: float | None
    standing: Standing
    look: Look
    samples: Samples
    charts: Sequence[Chart]
    more_charts: Sequence[Chart]
    results: Results
    findings: Sequence[Finding]
    facts: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    usage: Facts
    mirrors: Facts
    log: str
    ordered_by: str


def standing_of(session: Session, run: Run) -> Standing:
    waits = why_it_waits(session, run)
    told_at = session.scalar(select(RunWatch.told_at).where(RunWatch.run_id == run.id))
    mirrored_at = session.scalar(select(func.max(RunMirror.told_at)).where(RunMirror.run_id == run.id))
    shown = (run.state, run.stage, run.attempt, run.step, run.last_step_at, run.priority, waits)
    version = hashlib.sha256(repr((shown, told_at, mirrored_at)).encode()).hexdigest()[:16]
    return Standing(waits, version)


def run_page(session: Session, person: Person, run_id: int, look: Look) -> RunPage:
    found = listed_run(session, person, run_id)
    run = found.run
    end = run.finished_at or datetime.now(UTC)
    drawn = charts(measured(session, run, None if look.curves == "all" else MAIN_NAMES), look)
    watched = session.get(RunWatch, run.id)
    return RunPage(
        person=person,
        listed=found,
        is_over=run.state in OVER,
        seconds=max(0.0, (end - run.started_at).total_seconds()) if run.started_at is not None else None,
        standing=standing_of(session, run),
        look=look,
        samples=samples_of(session, run),
        charts=drawn.main,
        more_charts=drawn.more,
        results=results_in_words(run.results),
        findings=diagnose(run.method, run.settings, run.facts, run.results, sampled(session, run)),
        facts=noted(run),
        settings=settings_in_force(session, run),
        usage=of_process(watched.usage) if watched is not None else (),
        mirrors=mirrors_in_words(mirrors_of(session, run)),
        log=watched.log if watched is not None else "",
        ordered_by=session.get_one(User, run.created_by).name,
    )


def noted(run: Run) -> list[tuple[str, str]]:
    """What the trainer wrote down of the run, and which trainer that was: the last one that had it."""
    told = facts_in_words({name: fact for name, fact in run.facts.items() if name != "settings"})
    return [*([(_("Trainer"), run.owner)] if run.owner else []), *told]


def settings_in_force(session: Session, run: Run) -> list[tuple[str, str]]:
    """With what the trainer chose where the order left it open; in the order of the form, if it is known."""
    in_force = run.settings | run.facts.get("settings", {})
    method = announced(session).known.get(run.method)
    order = [setting.name for setting in method.settings] if method is not None else []
    names = sorted(in_force, key=lambda name: (order.index(name) if name in order else len(order), name))
    return [(name, words(in_force[name])) for name in names]


@router.get("/runs/{run_id}")
def run(run_id: RowNumber, request: Request, session: SessionDep, person: Admin, look: Looking) -> Response:
    return render(request, "runs/run.html", run_page(session, person, run_id, look))


@router.get("/runs/{run_id}/progress")
def progress(
    run_id: RowNumber,
    request: Request,
    session: SessionDep,
    person: Admin,
    look: Looking,
    seen: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Asked for again and again until the run is over; there is no content while `seen` is still the version."""
    if seen and standing_of(session, run_by_id(session, person, run_id)).version == seen:
        return Response(status_code=204)
    return render(request, "runs/_progress.html", run_page(session, person, run_id, look))
