"""Runs for programs: order one, watch it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access import MayReadAll, MayTrain
from app.datasets.queries import dataset_asked_for
from app.db import SessionDep
from app.forms import RowNumber
from app.idempotency import once
from app.keyset import Paging, cut, link_next
from app.models import RunMirror
from app.runs.diagnosis import Finding, diagnose
from app.runs.labels import label_run
from app.runs.listing import Filtered, runs_page
from app.runs.measured import as_rows, measured, metrics, sampled
from app.runs.mirrors import mirrors_of
from app.runs.queries import Listed, listed_run, run_by_id
from app.runs.service import order_run
from app.runs.waiting import why_it_waits

router = APIRouter(tags=["runs"])
Priority = Annotated[int, Field(description="Of the runs that wait, the lowest is taken first, and then the oldest.")]
MetricLimit = Annotated[int, Query(ge=1, le=100_000, description="How many steps at most.")]

Downsample = Annotated[int | None, Query(ge=1, le=10_000, description="The whole run in at most so many rows.")]


class RunOrder(BaseModel):
    """`dataset` is an id, a name (its newest version) or name@v2; `name` is what the checkpoint will be called."""

    model_config = ConfigDict(extra="forbid")

    method: str
    dataset: int | str
    base_model: str = "starter"
    settings: dict[str, Any] = {}
    name: str | None = None
    priority: Priority = 0


class Labels(BaseModel):
    """What is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")

    tags: list[str] | None = None
    note: str | None = None


class FindingAnswer(BaseModel):
    """Something that looks wrong, what to do about it, and whether it makes the model useless."""

    name: str
    words: str
    advice: str
    is_grave: bool


class MirrorAnswer(BaseModel):
    """A tracking server: `state` is telling, lost (it is tried again), told or given up, `step` how many steps it has."""

    target: str
    state: str
    step: int
    problem: str | None
    told_at: datetime


class RunAnswer(BaseModel):
    """`waits` says what a queued run waits for, and of one that is under way that its trainer fell silent; `diagnosis` is what looks wrong, the gravest first; `mirrors` are the tracking servers that
    are told about it. All are null where that was not looked for, as in lists.
    """

    id: int
    method: str
    state: str
    waits: str | None
    priority: int
    stage: str
    dataset: int
    dataset_name: str
    dataset_sha256: str
    base_model: str
    checkpoint_name: str
    checkpoint: int | None
    settings: dict[str, Any]
    tags: list[str]
    note: str
    step: int
    total_steps: int | None
    seconds_left: float | None
    attempt: int
    results: dict[str, Any]
    facts: dict[str, Any]
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    diagnosis: list[FindingAnswer] | None
    mirrors: list[MirrorAnswer] | None


def answer(
    listed: Listed,
    findings: Sequence[Finding] | None = None,
    waits: str | None = None,
    mirrors: Sequence[RunMirror] | None = None,
) -> RunAnswer:
    run, dataset = listed.run, listed.dataset
    return RunAnswer(
        id=run.id,
        method=run.method,
        state=run.state,
        waits=waits,
        priority=run.priority,
        stage=run.stage,
        dataset=dataset.id,
        dataset_name=f"{dataset.name}@v{dataset.version}",
        dataset_sha256=dataset.sha256,
        base_model=run.base_model,
        checkpoint_name=run.checkpoint_name,
        checkpoint=listed.checkpoint.id if listed.checkpoint is not None else None,
        settings=run.settings,
        tags=run.tags,
        note=run.note,
        step=run.step,
        total_steps=run.total_steps,
        seconds_left=run.seconds_left,
        attempt=run.attempt,
        results=run.results,
        facts=run.facts,
        error=run.error,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        cancel_requested_at=run.cancel_requested_at,
        diagnosis=None if findings is None else [FindingAnswer(**asdict(finding)) for finding in findings],
        mirrors=None
        if mirrors is None
        else [MirrorAnswer.model_validate(each, from_attributes=True) for each in mirrors],
    )


@router.post("/runs", status_code=202, operation_id="order_run")
@once
def order(given: RunOrder, person: MayTrain, session: SessionDep, response: Response) -> RunAnswer:
    """Queue a run; a trainer takes it as soon as it is free."""
    dataset = dataset_asked_for(session, person, given.dataset)
    run = order_run(
        session,
        person,
        method=given.method,
        dataset=dataset,
        base_model=given.base_model,
        settings=given.settings,
        name=given.name,
        priority=given.priority,
    )
    session.refresh(run)  # what the database filled in
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return answer(Listed(run, dataset, None), (), why_it_waits(session, run), ())


@router.get("/runs")
def list_runs(
    person: MayReadAll,
    session: SessionDep,
    paging: Paging,
    filters: Filtered,
) -> list[RunAnswer]:
    """List runs, newest first."""
    rows = paging.cut(
        runs_page(session, person, filters, after=paging.after, limit=paging.limit), key=lambda row: row.run.id
    )
    return [answer(listed) for listed in rows]


@router.get("/runs/{run_id}")
def show_run(run_id: RowNumber, person: MayReadAll, session: SessionDep) -> RunAnswer:
    """Show a run with what it waits for, what looks wrong with it, and where it is mirrored to."""
    listed = listed_run(session, person, run_id)
    run = listed.run
    found = diagnose(run.method, run.settings, run.facts, run.results, sampled(session, run))
    return answer(listed, found, why_it_waits(session, run), mirrors_of(session, run))


@router.patch("/runs/{run_id}", operation_id="label_run")
def label(run_id: RowNumber, given: Labels, person: MayTrain, session: SessionDep) -> RunAnswer:
    """Give a run tags and a note to find it by."""
    run = label_run(session, person, run_by_id(session, person, run_id), tags=given.tags, note=given.note)
    return answer(listed_run(session, person, run.id))


@router.get("/runs/{run_id}/metrics")
def run_metrics(
    run_id: RowNumber,
    person: MayReadAll,
    session: SessionDep,
    request: Request,
    response: Response,
    after: Annotated[int, Query(ge=-1, le=2**63 - 1, description="Go on after this step.")] = -1,
    limit: MetricLimit = 10_000,
    downsample: Downsample = None,
) -> list[dict[str, Any]]:
    """List the metrics of a run in the order of its steps; `after` the last one seen follows a run that is going on.

    With `downsample` the whole run in at most so many rows: each is the mean of its share of the steps, under the last of them.
    """
    run = run_by_id(session, person, run_id)
    if downsample is not None:
        return as_rows(measured(session, run, points=downsample))
    found = metrics(session, run, after=after, limit=limit + 1)
    page = cut(found, limit, key=lambda one: int(one["step"]))
    link_next(request, response, page.next_after)
    return list(page.rows)
