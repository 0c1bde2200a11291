"""A real training that a person or the end of its worker stops in the middle. What dies is in `test_faults.py`."""

import subprocess
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.access import Person
from app.datasets.order import Order
from app.datasets.service import freeze
from app.db import work_unit
from app.models import Checkpoint, Run, User
from tests.judged import judged_pairs
from tests.ordered import change_run, run_row
from tests.worker.test_main import Start, is_in, start_worker
from tests.worker.test_supervise import stage, until

pytestmark = pytest.mark.slow
__all__ = ["stage", "start_worker"]  # their fixtures


@pytest.fixture
def run_id(ada: User, start_worker: Start) -> int:
    """A training that is not over before somebody stops it."""
    with work_unit() as session:
        project = judged_pairs(session, 24)
        dataset = freeze(session, Person(ada.id, ada.name, ada.role), project, Order(name="pairs")).dataset
        run = Run(
            method="sft",
            settings={"max_steps": 100_000, "groups_per_step": 8},
            dataset_id=dataset.id,
            base_model="blank",
            checkpoint_name="pairs-sft",
            created_by=ada.id,
        )
        session.add(run)
        session.flush()  # the stories ask for its id
        return run.id


def is_under_way(run_id: int) -> Callable[[], bool]:
    return lambda: run_row(run_id, ["stage"]).stage == "training" and run_row(run_id, ["step"]).step > 0


def test_it_stops_at_once_when_a_person_cancels(run_id: int, start_worker: Start) -> None:
    start_worker("", app="worker.main")
    until(is_under_way(run_id), seconds=90)
    change_run(run_id, "state = 'cancelling'")
    until(is_in(run_id, "cancelled"))
    with work_unit() as session:
        assert session.scalars(select(Checkpoint)).all() == []


def test_it_puts_a_training_back_when_its_worker_is_told_to_stop(run_id: int, start_worker: Start) -> None:
    worker: subprocess.Popen[bytes] = start_worker("", app="worker.main")
    until(is_under_way(run_id), seconds=90)
    worker.terminate()
    assert worker.wait(timeout=20) == 0
    assert run_row(run_id, ["state", "attempt", "error"]) == ("queued", 0, None)
