"""What a run measured, step by step or as a few numbers for each share of its steps: a hundred thousand steps are as quickly
drawn as a hundred, because the database sends no more rows than a chart has room for.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, literal, select, text
from sqlalchemy.orm import Session

from app.models import Run, RunMetric
from app.runs.curves import Measured

POINTS = 240
"""About so many points make a curve; a run has as many steps as it likes."""

_OF_SOME = (
    'CROSS JOIN unnest(CAST(:names AS text[])) AS name CROSS JOIN LATERAL (SELECT m."values" -> name AS value) AS one'
)
_OF_ALL = 'CROSS JOIN LATERAL jsonb_each(m."values") AS one (name, value)'
_SHARES = """
    SELECT name, max(step), avg(number), min(number), max(number)
    FROM (
        SELECT m.step, name, CASE WHEN jsonb_typeof(value) = 'number' THEN CAST(value AS double precision) END AS number
        FROM run_metric AS m {of}
        WHERE m.run_id = :run AND jsonb_typeof(value) IN ('number', 'null')
    ) AS each
    GROUP BY name, (step - :first) / :width ORDER BY name, max(step)
"""


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
    statement = text(_SHARES.format(of=_OF_ALL if names is None else _OF_SOME))
    width = -(-(ends[1] - ends[0] + 1) // points)
    told = {"run": run.id, "first": ends[0], "width": width}
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
    stride = -(-(last - first + 1) // POINTS)
    chosen = select(func.generate_series(first, last, stride)).union_all(select(literal(last)))
    rows = session.execute(
        select(RunMetric.step, RunMetric.values)
        .where(RunMetric.run_id == run.id, RunMetric.step.in_(chosen))
        .order_by(RunMetric.step)
    )
    return [{"step": step, **values} for step, values in rows]


def _ends(session: Session, run: Run) -> tuple[int, int] | None:
    ends = select(func.min(RunMetric.step), func.max(RunMetric.step)).where(RunMetric.run_id == run.id)
    found = session.execute(ends.having(func.count() > 0)).one_or_none()
    return None if found is None else (found[0], found[1])
