"""Up to six runs beside each other: their curves in one drawing, what differs in their orders, what each measured, and how much
better each did than the first on the same held-out prompts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Admin, MayReadAll, Person
from app.charts import Chart
from app.db import SessionDep
from app.errors import BadInput
from app.language import gettext as _
from app.models import RunTest
from app.pages import Page, render
from app.runs.curves import MAIN_NAMES, Curves, Look, Looking, chart
from app.runs.difference import Difference, difference
from app.runs.form import words
from app.runs.measured import measured
from app.runs.queries import Listed, listed_run
from app.runs.results import measure_in_words, results_in_words

api = APIRouter(tags=["runs"])
router = APIRouter()

MOST = 6
PAIRED = ("accuracy", "right_answers")


@dataclass(frozen=True, slots=True)
class Row:
    """One setting or measure, a value for each run."""

    name: str
    values: Sequence[str]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True)
class Against:
    """A run against the first one, in one measure."""

    listed: Listed
    measure: str
    title: str
    found: Difference


@dataclass(frozen=True, kw_only=True)
class ComparePage(Page):
    """`address` holds the runs, as it stands after the question mark."""

    runs: Sequence[Listed]
    address: str
    look: Look
    charts: Sequence[Chart]
    settings: Sequence[Row]
    results: Sequence[Row]
    against: Sequence[Against]


class RunDifference(BaseModel):
    """How much better `run` did than `than` on the same held-out prompts; `interval` is of 95 %, null for very few prompts."""

    run: int
    than: int
    measure: str
    mean: float
    interval: tuple[float, float] | None
    pairs: int
    prompts: int
    left_out: int


class Comparison(BaseModel):
    """`settings` are those in which the runs differ, in the order of `runs`; null where a run has no such setting."""

    runs: list[int]
    settings: dict[str, list[Any]]
    differences: list[RunDifference]


Wanted = Annotated[list[int] | None, Query(alias="run", description="Two to six runs, by their ids.")]


def runs_asked_for(session: Session, person: Person, wanted: Sequence[int] | None) -> list[Listed]:
    ids = list(dict.fromkeys(wanted or ()))
    if not 2 <= len(ids) <= MOST:
        raise BadInput(_("Choose two runs at least and %(n)d at most.", n=MOST), field="run")
    return [listed_run(session, person, run_id) for run_id in ids]


@router.get("/runs/compare")
def compare(request: Request, session: SessionDep, person: Admin, look: Looking, wanted: Wanted = None) -> Response:
    runs = runs_asked_for(session, person, wanted)
    shown = ComparePage(
        person=person,
        runs=runs,
        address="&".join(f"run={one.run.id}" for one in runs),
        look=look,
        charts=list(_charts(session, runs, look)),
        settings=[Row(name, [words_of(value) for value in values]) for name, values in settings_of(runs).items()],
        results=_results(runs),
        against=against_first(session, runs),
    )
    return render(request, "runs/compare.html", shown)


@api.get("/runs/compare")
def compare_runs(person: MayReadAll, session: SessionDep, wanted: Wanted = None) -> Comparison:
    """Show what differs between runs, and how much better each did than the first on the same held-out prompts."""
    runs = runs_asked_for(session, person, wanted)
    differing = {
        name: values for name, values in settings_of(runs).items() if any(each != values[0] for each in values)
    }
    return Comparison(
        runs=[one.run.id for one in runs],
        settings=differing,
        differences=[
            RunDifference(
                run=one.listed.run.id,
                than=runs[0].run.id,
                measure=one.measure,
                mean=one.found.mean,
                interval=one.found.interval,
                pairs=one.found.pairs,
                prompts=one.found.prompts,
                left_out=one.found.left_out,
            )
            for one in against_first(session, runs)
        ],
    )


def _charts(session: Session, runs: Sequence[Listed], look: Look) -> Iterable[Chart]:
    """One for each measurement, one line for each run."""
    names = None if look.curves == "all" else MAIN_NAMES
    by_run = {one.run: measured(session, one.run, names) for one in runs}
    for name in dict.fromkeys([*MAIN_NAMES, *(name for curves in by_run.values() for name in curves)]):
        together: Curves = {label(run.id, run.checkpoint_name): found.get(name, []) for run, found in by_run.items()}
        if (drawn := chart(name, together, look)) is not None:
            yield drawn


def label(run_id: int, name: str) -> str:
    return f"{run_id} {name}"


def settings_of(runs: Sequence[Listed]) -> dict[str, list[Any]]:
    """What determines the runs, in force as far as their trainers said; those that differ first."""
    each = [_settings(one) for one in runs]
    names = dict.fromkeys(name for settings in each for name in settings)
    rows = {name: [settings.get(name) for settings in each] for name in names}
    return dict(sorted(rows.items(), key=lambda row: all(value == row[1][0] for value in row[1])))


def _settings(one: Listed) -> dict[str, Any]:
    run = one.run
    order = {
        "method": run.method,
        "dataset": f"{one.dataset.name}@v{one.dataset.version}",
        "base_model": run.base_model,
    }
    in_force: dict[str, Any] = run.facts.get("settings", {})
    return order | run.settings | in_force


def words_of(value: Any) -> str:
    return "–" if value is None else words(value)


def _results(runs: Sequence[Listed]) -> list[Row]:
    """What each measured after its training, a row for each measure that one of them has."""
    found = [{change.title: change for change in results_in_words(one.run.results).changes} for one in runs]
    rows = []
    for title in dict.fromkeys(title for changes in found for title in changes):
        told = [changes.get(title) for changes in found]
        rows.append(
            Row(
                title,
                [
                    "–" if each is None or not each.after else _with_spread(each.after, each.after_spread)
                    for each in told
                ],
            )
        )
    return rows


def _with_spread(value: str, spread: str) -> str:
    return f"{value} ({spread})" if spread else value


def against_first(session: Session, runs: Sequence[Listed]) -> list[Against]:
    rows = session.execute(
        select(RunTest.run_id, RunTest.prompts).where(RunTest.run_id.in_([one.run.id for one in runs]))
    )
    tests: dict[int, Mapping[str, Any]] = {row.run_id: row.prompts for row in rows}
    first = tests.get(runs[0].run.id, {})
    found = []
    for one in runs[1:]:
        for measure in PAIRED:
            lead = difference(tests.get(one.run.id, {}).get(measure, {}), first.get(measure, {}))
            if lead is not None:
                found.append(Against(one, measure, measure_in_words(measure), lead))
    return found
