"""Shares of a run's steps say what the steps themselves say, however the steps were told."""

import importlib.util
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from app import db
from app.models import Run, RunMetric, RunShare, User
from app.run_shares import WIDTHS, forget_shares, make_shares
from app.runs.measured import measured
from app.settings import ROOT
from tests.trained import make_run

MIGRATION = ROOT / "migrations" / "versions" / "20261126_run_shares.py"


@pytest.fixture
def session(ada: User) -> Iterator[Session]:
    with db.work_unit() as session:
        yield session


def figures(step: int) -> dict[str, float | str | None]:
    """Something at every step, something at some, something that is no number now and then, and words."""
    told: dict[str, float | str | None] = {"loss": step % 7 / 8, "note": "words"}
    told |= {"test_loss": float(step)} if step % 50 == 3 else {}
    return told | ({"margin": None if step % 3 else 0.5 * step})


def tell(session: Session, run: Run, first: int, last: int) -> None:
    """As a trainer does."""
    session.execute(
        insert(RunMetric),
        [{"run_id": run.id, "step": step, "values": figures(step)} for step in range(first, last + 1)],
    )
    make_shares(session, run.id, first, last)


def shares(session: Session, run: Run) -> set[tuple[Any, ...]]:
    columns = [column for column in RunShare.__table__.columns if column.name != "run_id"]
    return {tuple(row) for row in session.execute(select(*columns).where(RunShare.run_id == run.id))}


def names(curves: dict[str, Sequence[Any]]) -> dict[str, str]:
    """Exact to the last bit for these figures, NaN included."""
    return {name: repr(curve) for name, curve in curves.items()}


@pytest.mark.parametrize("points", [2, 4, 7, 40])
def test_a_curve_from_shares_is_the_curve_from_steps(session: Session, points: int):
    run, plain = make_run(session), make_run(session)
    for first in range(0, 1300, 13):
        tell(session, run, first, first + 12)
    tell(session, plain, 0, 1299)
    assert shares(session, run) == shares(session, plain)
    from_shares = measured(session, run, points=points)
    session.execute(delete(RunShare))
    assert names(from_shares) == names(measured(session, run, points=points))
    assert names({"loss": from_shares["loss"]}) == names(measured(session, run, ["loss"], points=points))


def test_only_shares_whose_steps_have_all_been_told_are_there(session: Session):
    run = make_run(session)
    tell(session, run, 0, 14)
    assert shares(session, run) == set()
    tell(session, run, 15, 20)
    assert {(width, first) for width, first, *_ in shares(session, run)} == {(16, 0)}
    tell(session, run, 21, 130)
    held = {(width, first) for width, first, *_ in shares(session, run)}
    assert held == {*((16, first) for first in range(0, 128, 16)), (128, 0)}


def test_steps_that_are_done_again_take_their_shares_along(session: Session):
    run = make_run(session)
    tell(session, run, 0, 299)
    before = shares(session, run)
    session.execute(delete(RunMetric).where(RunMetric.run_id == run.id, RunMetric.step >= 200))
    forget_shares(session, run.id, 200)
    assert max(first for width, first, *_ in shares(session, run) if width == 16) == 176
    tell(session, run, 200, 299)
    assert shares(session, run) == before


def test_a_long_curve_is_read_without_its_steps(session: Session):
    run = make_run(session)
    tell(session, run, 0, 9_999)
    session.execute(delete(RunMetric).where(RunMetric.run_id == run.id, RunMetric.step.between(1, 9_983)))
    curve = measured(session, run, ["loss"])["loss"]
    assert len(curve) == 209  # 48 steps each: three shares of the narrowest width
    assert curve[0].step == 47


def test_each_width_is_made_of_the_one_before():
    assert all(wide % narrow == 0 for narrow, wide in pairwise(WIDTHS))


def test_steps_told_before_there_were_shares_have_the_same_ones(session: Session):
    run, empty = make_run(session), make_run(session)
    tell(session, run, 0, 1_100)
    tell(session, empty, 0, 3)
    expected = shares(session, run)
    session.execute(delete(RunShare))
    spec = importlib.util.spec_from_file_location("run_shares_migration", MIGRATION)
    assert spec is not None
    assert spec.loader is not None
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    session.execute(text(migration.OF_STEPS))
    for part, width in pairwise(WIDTHS):
        session.execute(text(migration.OF_SHARES), {"part": part, "width": width})
    assert shares(session, run) == expected
    assert shares(session, empty) == set()
