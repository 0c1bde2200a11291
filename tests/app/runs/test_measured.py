"""What a run measured, as it is and in a few rows."""

from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app import db
from app.models import Run, RunMetric, User
from app.runs.measured import as_rows, measured, sampled
from tests.trained import make_run


@pytest.fixture
def session(ada: User) -> Iterator[Session]:
    with db.work_unit() as session:
        yield session


def run_of(session: Session, *rows: dict[str, float | str | None]) -> Run:
    run = make_run(session)
    session.execute(
        insert(RunMetric), [{"run_id": run.id, "step": step, "values": row} for step, row in enumerate(rows)]
    )
    return run


def test_a_short_run_is_told_as_it_was(session: Session):
    run = run_of(session, {"loss": 0.7}, {"loss": None, "test_loss": 0.6}, {"loss": 0.5, "note": "words"})
    assert as_rows(measured(session, run)) == [
        {"step": 0, "loss": 0.7},
        {"step": 1, "loss": None, "test_loss": 0.6},
        {"step": 2, "loss": 0.5},
    ]


def test_a_long_run_is_told_by_means_and_extremes(session: Session):
    run = run_of(session, *({"loss": float(step)} for step in range(10)))
    curve = measured(session, run, ["loss", "nothing"], points=2)["loss"]
    assert [(point.step, point.mean, point.low, point.high) for point in curve] == [
        (4, 2.0, 0.0, 4.0),
        (9, 7.0, 5.0, 9.0),
    ]


def test_only_what_was_named_is_asked_for(session: Session):
    run = run_of(session, {"loss": 0.7, "accuracy": 0.5})
    assert set(measured(session, run, ["loss"])) == {"loss"}
    assert set(measured(session, run)) == {"loss", "accuracy"}


def test_a_sample_holds_the_first_and_the_last_step(session: Session):
    run = run_of(session, *({"loss": 0.5} for _ in range(1000)))
    steps = [row["step"] for row in sampled(session, run)]
    assert (steps[0], steps[-1]) == (0, 999)
    assert len(steps) <= 241


def test_a_run_without_steps_has_nothing(session: Session):
    run = make_run(session)
    assert (measured(session, run), sampled(session, run)) == ({}, [])
    assert session.scalar(select(RunMetric.step)) is None
