"""What a run's model said to the same few held-out prompts while it learnt: a prompt at a time, a step beside an earlier one.

For a reward model it is the scores that it gave to the same responses, as curves. Every choice is a link and stands in the
address, so it needs no script; with one the part of the run's page takes its own place, and follows a run that goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import Admin, MayReadAll
from app.charts import Chart, draw
from app.db import SessionDep
from app.forms import RowNumber
from app.keyset import cut, link_next
from app.language import gettext as _
from app.models import Run, RunQuestion, RunSample
from app.pages import Page, is_fragment_wanted, number, render
from app.reading.difference import Part, Side, are_alike, difference
from app.run_states import OVER
from app.runs.queries import run_by_id

router = APIRouter()
api = APIRouter(tags=["runs"])

LINKS = 12
"""Of more steps than this a few are offered, evenly spread, with the first and the last."""
POINTS = 240
LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Against = Literal["before", "start"]


@dataclass(frozen=True, slots=True)
class Said:
    """A policy's answer after so many steps; what differs from the other one is marked. `is_right` is None where nobody can tell."""

    step: int
    text: Side
    is_right: bool | None
    has_ended: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """A response that a reward model scored, at the start and after the step that is shown; its place in the order of people."""

    label: str
    text: str
    tier: str
    first: str
    now: str


@dataclass(frozen=True, slots=True)
class Samples:
    """`newest` is the last step at which the model was asked, -1 where it was not; `at` is the step that is shown."""

    run_id: int
    is_over: bool
    newest: int
    places: Sequence[int] = ()
    place: int = 0
    prompt: str = ""
    answer: str | None = None
    steps: Sequence[int] = ()
    at: int = 0
    is_followed: bool = True
    against: Against = "before"
    said: Sequence[Said] = ()
    scored: Sequence[Scored] = ()
    chart: Chart | None = None

    def address(self, **changes: Any) -> str:
        """Of what is shown, with something else about it; the newest step is followed unless one is named."""
        told = {"place": self.place, "against": self.against, "at": None if self.is_followed else self.at} | changes
        usual = {"place": 0, "against": "before", "at": None}
        chosen = "&".join(f"{name}={value}" for name, value in told.items() if value != usual.get(name))
        return f"/runs/{self.run_id}/samples" + (f"?{chosen}" if chosen else "")


@dataclass(frozen=True, kw_only=True)
class SamplesPage(Page):
    run: Run
    samples: Samples


def samples_of(
    session: Session, run: Run, place: int = 0, at: int | None = None, against: Against = "before"
) -> Samples:
    """What is shown of a run's samples; a place or a step that there is not becomes the nearest one before it."""
    asked = session.execute(
        select(RunQuestion.place, RunQuestion.asked).where(RunQuestion.run_id == run.id).order_by(RunQuestion.place)
    ).all()
    newest = newest_step(session, run)
    if not asked or newest < 0:
        return Samples(run.id, run.state in OVER, newest)
    places = [each.place for each in asked]
    place = max((each for each in places if each <= place), default=places[0])
    question = next(each.asked for each in asked if each.place == place)
    mine = RunSample.run_id == run.id, RunSample.place == place
    steps = list(session.scalars(select(RunSample.step).where(*mine).order_by(RunSample.step)))
    shown = max((step for step in steps if at is None or step <= at), default=steps[0])
    other = steps[0] if against == "start" else max((step for step in steps if step < shown), default=shown)
    told = {
        "places": places,
        "place": place,
        "prompt": question["prompt"],
        "answer": question.get("answer"),
        "steps": spread(steps, LINKS, shown),
        "at": shown,
        "is_followed": at is None,
        "against": against,
    }
    wanted = spread(steps, POINTS, shown) if "responses" in question else [other, shown]
    found = dict(session.execute(select(RunSample.step, RunSample.said).where(*mine, RunSample.step.in_(wanted))).all())
    told |= _scores(question, found, shown) if "responses" in question else {"said": _beside(found, other, shown)}
    return Samples(run.id, run.state in OVER, newest, **told)


def spread(steps: Sequence[int], most: int, always: int) -> list[int]:
    """About so many of the steps, with the first, the last and one that must be there."""
    stride = max(1, -(-len(steps) // most))
    return sorted({*steps[::stride], steps[-1], always})


def newest_step(session: Session, run: Run) -> int:
    newest = session.scalar(select(func.max(RunSample.step)).where(RunSample.run_id == run.id))
    return -1 if newest is None else newest


def _beside(found: Mapping[int, Mapping[str, Any]], other: int, shown: int) -> list[Said]:
    texts = [found[step]["text"] for step in dict.fromkeys((other, shown))]
    sides: Sequence[Side] = [[Part(text, is_marked=False)] for text in texts]
    if len(texts) == 2 and are_alike(texts):
        sides = difference(*texts)
    return [
        Said(step, side, found[step].get("right"), found[step]["ended"])
        for step, side in zip(dict.fromkeys((other, shown)), sides, strict=True)
    ]


def _scores(question: Mapping[str, Any], found: Mapping[int, Mapping[str, Any]], shown: int) -> dict[str, Any]:
    steps = sorted(found)
    labels = LABELS[: len(question["responses"])]
    curves = {
        label: [(float(step), found[step]["scores"][place]) for step in steps] for place, label in enumerate(labels)
    }
    rows = [
        Scored(label, text, number(tier), number(curve[0][1]), number(found[shown]["scores"][place]))
        for place, (label, text, tier, curve) in enumerate(
            zip(labels, question["responses"], question["tiers"], curves.values(), strict=False)
        )
    ]
    return {"scored": rows, "chart": draw(_("Score"), curves, weight=0)}


@router.get("/runs/{run_id}/samples")
def samples(
    run_id: RowNumber,
    request: Request,
    session: SessionDep,
    person: Admin,
    place: Annotated[int, Query(ge=0, le=2**31)] = 0,
    at: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    against: Against = "before",
    seen: Annotated[int | None, Query(ge=-1, le=2**63 - 1)] = None,
) -> Response:
    """Asked for again and again until the run is over; there is no content while `seen` is still the newest step."""
    run = run_by_id(session, person, run_id)
    if seen is not None and run.state not in OVER and newest_step(session, run) == seen:
        return Response(status_code=204)
    page = SamplesPage(person=person, run=run, samples=samples_of(session, run, place, at, against))
    return render(request, "runs/_samples.html" if is_fragment_wanted(request) else "runs/samples.html", page)


class SampleAnswer(BaseModel):
    """What was asked and said. A policy's `text` with its `tokens`, whether it `ended` by itself, and whether it is `right` where
    code can tell; a reward model's `scores` of the `responses`, whose order people gave as `tiers` (1 is best).
    """

    place: int
    prompt: str
    answer: str | None = None
    text: str | None = None
    tokens: int | None = None
    ended: bool | None = None
    right: bool | None = None
    responses: list[str] | None = None
    tiers: list[int] | None = None
    scores: list[float | None] | None = None


class StepAnswer(BaseModel):
    """`step` counts what the model had learnt from by then; 0 is the model that the run started from."""

    step: int
    samples: list[SampleAnswer]


@api.get("/runs/{run_id}/samples")
def run_samples(
    run_id: RowNumber,
    person: MayReadAll,
    session: SessionDep,
    request: Request,
    response: Response,
    after: Annotated[int, Query(ge=-1, le=2**63 - 1, description="Go on after this step.")] = -1,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many steps at most.")] = 100,
) -> list[StepAnswer]:
    """List what the model of a run said to the same held-out prompts, in the order of the steps; `after` the last one seen follows a run that is going on."""
    run = run_by_id(session, person, run_id)
    later = select(RunSample.step).where(RunSample.run_id == run.id, RunSample.step > after).distinct()
    page = cut(session.scalars(later.order_by(RunSample.step).limit(limit + 1)).all(), limit, key=int)
    link_next(request, response, page.next_after)
    rows = session.execute(
        select(RunSample.step, RunSample.place, RunQuestion.asked, RunSample.said)
        .join(RunQuestion, (RunQuestion.run_id == RunSample.run_id) & (RunQuestion.place == RunSample.place))
        .where(RunSample.run_id == run.id, RunSample.step.in_(page.rows))
        .order_by(RunSample.step, RunSample.place)
    ).all()
    return [
        StepAnswer(step=step, samples=[SampleAnswer(place=each.place, **each.asked, **each.said) for each in some])
        for step, some in groupby(rows, key=lambda row: row.step)
    ]
