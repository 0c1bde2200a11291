"""What a run measured, step by step or as a few numbers for each share of its steps: a hundred thousand steps are as quickly
drawn as a hundred, because the database adds up what was added up when the steps were told (`run_shares.py`), reads only the last
steps one by one, and sends no more rows than a chart has room for.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.models import Run, RunMetric, RunShare
from app.run_shares import NUMBERS, OF_ALL, WIDTHS
from app.runs.curves import Measured

POINTS = 240
"""About so many points make a curve; a run has as many steps as it likes."""

_OF_SOME = (
    'CROSS JOIN unnest(CAST(:names AS text[])) AS name CROSS JOIN LATERAL (SELECT m."values" -> name AS value) AS one'
)
_STEPS = f"""
    SELECT name, step, step AS at, count(number) AS n, sum(number) AS total, min(number) AS low, min(number) AS high
    FROM ({NUMBERS} AND m.step >= :rest) AS told GROUP BY name, step"""  # noqa: S608 -- of our own words alone
_SHARES = """
    SELECT name, step, first, n, total, low, high FROM run_share
    WHERE run_id = :run AND width = :part AND first < :rest {some}"""
_CURVES = """
    SELECT name, max(step), sum(total) / nullif(sum(n), 0), min(low), max(high)
    FROM ({told}) AS told GROUP BY name, (at - :first) / :width ORDER BY name, max(step)"""


def metrics(session: Session, run: Run, *, after: int, limit: int) -> Sequence[dict[str, Any]]:
    """What steps later than `after` measured, in their order: [{step, name: value, …}, …]."""
    rows = session.execute(
        select(RunMetric.step, RunMetric.values)
        .where(RunMetric.run_id == run.id, RunMetric.step > after)
        .order_by(RunMetric.step)
        .limit(limit)
    )
    return [{"step": step, **values} for step, values in rows]


def measured(
    session: Session, run: Run, names: Sequence[str] | None = None, points: int = POINTS
) -> dict[str, list[Measured]]:
    """Each measurement, or those named, in at most `points` shares of the steps; where there are fewer steps, as it was."""
    ends = _ends(session, run)
    if ends is None:
        return {}
    width = -(-(ends[1] - ends[0] + 1) // points)
    part = max((each for each in WIDTHS if each <= width), default=1)
    rest = _end_of_shares(session, run, part) if part > 1 else ends[0]
    told = {
        "run": run.id,
        "first": ends[0] // part * part,
        "width": -(-width // part) * part,
        "rest": rest,
        "part": part,
    }
    of, some = (OF_ALL, "") if names is None else (_OF_SOME, "AND name = ANY(:names)")
    parts = [_STEPS.format(of=of), _SHARES.format(some=some)]
    statement = text(_CURVES.format(told=" UNION ALL ".join(parts)))
    curves: dict[str, list[Measured]] = defaultdict(list)
    for name, step, *numbers in session.execute(statement, told if names is None else told | {"names": list(names)}):
        curves[name].append(Measured(step, *(math.nan if number is None else float(number) for number in numbers)))
    return dict(curves)


def as_rows(curves: Mapping[str, Sequence[Measured]]) -> list[dict[str, Any]]:
    """The means in the shape of `metrics`, for programs."""
    rows: dict[int, dict[str, Any]] = defaultdict(dict)
    for name, curve in curves.items():
        for point in curve:
            rows[point.step][name] = point.mean if math.isfinite(point.mean) else None
    return [{"step": step, **rows[step]} for step in sorted(rows)]


def sampled(session: Session, run: Run) -> Sequence[dict[str, Any]]:
    """About `POINTS` whole steps, evenly spread over the run, with the first and the last: enough to see what is wrong."""
    ends = _ends(session, run)
    if ends is None:
        return []
    first, last = ends
    chosen = [*range(first, last, -(-(last - first + 1) // POINTS)), last]
    rows = session.execute(
        select(RunMetric.step, RunMetric.values)
        .where(RunMetric.run_id == run.id, RunMetric.step.in_(chosen))
        .order_by(RunMetric.step)
    )
    return [{"step": step, **values} for step, values in rows]


def _ends(session: Session, run: Run) -> tuple[int, int] | None:
    """The first and the last step that was told."""
    ends = select(func.min(RunMetric.step), func.max(RunMetric.step)).where(RunMetric.run_id == run.id)
    found: Sequence[Any] = session.execute(ends).one()
    return None if found[1] is None else (found[0], found[1])


def _end_of_shares(session: Session, run: Run, width: int) -> int:
    """The first step that is in none of the shares of this width."""
    last = select(func.max(RunShare.first)).where(RunShare.run_id == run.id, RunShare.width == width)
    begin = session.scalar(last)
    return 0 if begin is None else begin + width
