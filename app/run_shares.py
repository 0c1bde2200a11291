"""Shares of a run's steps with what they measured: a curve of a hundred thousand steps is read from a few rows.

Sums, counts and extremes of 16 steps, and of 8 such shares, and so on (`WIDTHS`). The transaction that tells a step makes the shares
which that step completes, so they are never older than their steps and always stand without a gap from the first step on;
what no share holds yet is less than one width, and is read step by step (`runs/measured.py`). Steps that are done again take
their shares along.
"""

from typing import Final

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from app.models import RunShare

WIDTHS: Final = (16, 128, 1024, 8192, 65_536)
"""In steps, the narrowest first, each a multiple of the one before."""

NUMBERS: Final = """
    SELECT m.step, name, CASE WHEN jsonb_typeof(value) = 'number' THEN CAST(value AS double precision) END AS number
    FROM run_metric AS m {of}
    WHERE m.run_id = :run AND jsonb_typeof(value) IN ('number', 'null')"""
"""What steps measured, one row for each name; words are no measurement, and null is a number that was none."""
OF_ALL: Final = 'CROSS JOIN LATERAL jsonb_each(m."values") AS one (name, value)'

_OF_STEPS = f"""
    SELECT step / :width * :width, name, max(step), count(number), coalesce(sum(number), 0), min(number), max(number)
    FROM ({NUMBERS.format(of=OF_ALL)} AND m.step >= :first AND m.step < :last) AS told GROUP BY 1, 2"""  # noqa: S608 -- of our own words alone
_OF_SHARES = """
    SELECT first / :width * :width, name, max(step), sum(n), sum(total), min(low), max(high)
    FROM run_share WHERE run_id = :run AND width = :part AND first >= :first AND first < :last GROUP BY 1, 2"""
_MAKE = """
    INSERT INTO run_share (run_id, width, first, name, step, n, total, low, high)
    SELECT CAST(:run AS bigint), CAST(:width AS integer), made.* FROM ({shares}) AS made
    ON CONFLICT (run_id, width, first, name) DO UPDATE SET
        step = excluded.step, n = excluded.n, total = excluded.total, low = excluded.low, high = excluded.high"""


def make_shares(session: Session, run_id: int, first: int, last: int) -> None:
    """The shares that are complete now that the steps from `first` to `last` have been told, all before them too."""
    part = 0
    for width in WIDTHS:
        begin, end = first // width * width, (last + 1) // width * width
        if end <= begin:
            return
        statement = _MAKE.format(shares=_OF_SHARES if part else _OF_STEPS)
        session.execute(text(statement), {"run": run_id, "width": width, "part": part, "first": begin, "last": end})
        part = width


def forget_shares(session: Session, run_id: int, done: int) -> None:
    """Those with steps from `done` on, which are done again."""
    session.execute(delete(RunShare).where(RunShare.run_id == run_id, RunShare.first + RunShare.width > done))
