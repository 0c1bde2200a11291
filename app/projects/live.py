"""How a project is getting on, for whoever runs it: what is done, how fast, by whom, and when it will be over.

Asked again and again while somebody looks, so it reads sums and what has come in since they were made (`tally.py`); middle
times are those of a person's last judgments. It is asked again after a hundred times as long as it took, so that
whoever watches takes a hundredth of one core.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy.orm import Session

from app.charts import Chart, draw
from app.language import gettext as _
from app.models import Project
from app.projects import tally

HOURS = 48
RECENT_HOURS = 24
MEDIAN_OF = 50
FEWEST_FOR_AN_END = 5
SOONEST_S, LATEST_S = 10, 300
SHARE_OF_A_CORE = 0.01


@dataclass(frozen=True, slots=True)
class Standing:
    """In judgments: wanted = done + leased + open + set_aside."""

    items: int
    wanted: int
    done: int
    leased: int
    open: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class Annotator:
    """`recently` is in the last day, by whole hours; shares are of all they judged; `median_s` is of their newest judgments."""

    name: str
    is_disabled: bool
    in_all: int
    today: int
    recently: int
    tie_share: float
    skip_share: float
    median_s: float | None
    last: datetime


@dataclass(frozen=True, slots=True)
class Live:
    """`rate` is judgments an hour in the last day, or since the first one in it; `end` when that will be all of them;
    `again_in_s` when to ask again.
    """

    standing: Standing
    chart: Chart | None
    rate: float
    end: datetime | None
    annotators: Sequence[Annotator]
    again_in_s: int


def live(session: Session, project: Project) -> Live:
    began = perf_counter()
    people = tally.people(session, project.id, recent_hours=RECENT_HOURS, median_of=MEDIAN_OF)
    standing = _standing(tally.wanted(session, project.id), done=sum(int(row["counted"]) for row in people))
    hours = tally.by_hour(session, project.id, hours=HOURS)
    now = datetime.now(UTC)
    rate = recent_rate(hours, now)
    return Live(
        standing=standing,
        chart=_chart(hours, now),
        rate=rate,
        end=estimated_end(standing, rate, hours, now),
        annotators=[_annotator(row) for row in people if row["in_all"]],
        again_in_s=again_in_s(perf_counter() - began),
    )


def again_in_s(took_s: float) -> int:
    return round(min(max(SOONEST_S, took_s / SHARE_OF_A_CORE), LATEST_S))


def _standing(numbers: Mapping[str, int], *, done: int) -> Standing:
    """Open is what is left: the queue sees to it that open + leased + counted = wanted."""
    left = numbers["wanted"] - done - numbers["leased"] - numbers["set_aside"]
    return Standing(done=done, open=left, **numbers)


def _annotator(row: Mapping[str, Any]) -> Annotator:
    return Annotator(
        name=row["name"],
        is_disabled=row["is_disabled"],
        in_all=int(row["in_all"]),
        today=int(row["today"]),
        recently=int(row["recently"]),
        tie_share=float(row["ties"] / row["in_all"]),
        skip_share=float(row["skips"] / row["in_all"]),
        median_s=row["median_ms"] / 1000 if row["median_ms"] is not None else None,
        last=row["last"],
    )


def recent_rate(hours: Sequence[Mapping[str, Any]], now: datetime) -> float:
    """Judgments an hour of the clock over the last day; over the time since the first one, if that is shorter."""
    since = now - timedelta(hours=RECENT_HOURS)
    recent = [row for row in hours if row["first"] >= since]
    if not recent:
        return 0.0
    began = recent[0]["first"] if recent[0] is hours[0] else since
    return float(sum(row["n"] for row in recent)) / max((now - began).total_seconds() / 3600, 0.25)


def estimated_end(
    standing: Standing, rate: float, hours: Sequence[Mapping[str, Any]], now: datetime
) -> datetime | None:
    """None when nothing is left, and while too little was judged to say."""
    left = standing.open + standing.leased
    if left == 0 or rate == 0 or sum(row["n"] for row in hours) < FEWEST_FOR_AN_END:
        return None
    return now + timedelta(hours=min(left / rate, 24 * 365 * 10))


def _chart(hours: Sequence[Mapping[str, Any]], now: datetime) -> Chart | None:
    """Judgments in each hour of the last two days, hours without any included; the hour that goes on is left out."""
    counted = {row["hour"]: row["n"] for row in hours}
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    points = [(float(ago), float(counted.get(this_hour + timedelta(hours=ago), 0))) for ago in range(1 - HOURS, 0)]
    if not counted or not any(n for _ago, n in points):
        return None
    marks = {
        float(ago): _hour(this_hour + timedelta(hours=ago))
        for ago in range(1 - HOURS, 0)
        if (this_hour + timedelta(hours=ago)).hour % 12 == 0
    }
    return draw(_("Judgments an hour"), {"judgments": points}, at_least=(0.0,), marks=marks, weight=0)


def _hour(hour: datetime) -> str:
    return f"{hour:%H:%M}" if hour.hour else f"{hour:%m-%d}"
