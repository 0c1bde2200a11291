"""A real training whose trainer, worker or database goes away in the middle: it ends with one whole checkpoint."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import func, select

from app import jobs
from app.access import Person
from app.datasets.order import Order
from app.datasets.service import freeze
from app.db import engine, work_unit
from app.models import Checkpoint, Run, RunMetric, User
from app.settings import get_settings
from app.storage import Stored, fetch
from tests.judged import judged_pairs
from tests.ordered import change_run, run_row
from tests.worker.test_main import Start, is_in, start_worker
from tests.worker.test_supervise import stage, until

pytestmark = pytest.mark.slow
__all__ = ["stage", "start_worker"]  # their fixtures


@pytest.fixture
def run_id(ada: User, start_worker: Start) -> int:
    """A training of some twenty seconds."""
    with work_unit() as session:
        project = judged_pairs(session, 24)
        dataset = freeze(session, Person(ada.id, ada.name, ada.role), project, Order(name="pairs")).dataset
        run = Run(
            method="sft",
            settings={"max_steps": 60, "groups_per_step": 8},
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


def trainer_of(worker: subprocess.Popen[bytes]) -> psutil.Process:
    """Not by its command alone: somebody else on this machine may be training a run of the same number."""
    living = (one for one in psutil.Process(worker.pid).children(recursive=True) if one.status() != "zombie")
    return next(one for one in living if "worker.train" in one.cmdline())


def is_published_once(run_id: int, tmp_path: Path) -> None:
    with work_unit() as session:
        (checkpoint,) = session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id))
        assert session.scalar(select(func.count()).select_from(RunMetric)) == 60
    for file in checkpoint.files:
        fetch(checkpoint.prefix, Stored(**file), tmp_path / file["path"])


def test_it_trains_again_when_the_trainer_is_killed(run_id: int, start_worker: Start, tmp_path: Path) -> None:
    worker = start_worker("", app="worker.main")
    until(is_under_way(run_id), seconds=90)
    os.kill(trainer_of(worker).pid, signal.SIGKILL)
    until(is_in(run_id, "finished"), seconds=120)
    assert run_row(run_id, ["attempt", "fence"]) == (2, 2)
    is_published_once(run_id, tmp_path)


def test_it_trains_elsewhere_when_the_worker_is_killed(run_id: int, start_worker: Start, tmp_path: Path) -> None:
    worker = start_worker("", app="worker.main")
    until(is_under_way(run_id), seconds=90)
    trainer = trainer_of(worker)
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: not trainer.is_running())
    change_run(run_id, "lease_until = now() - interval '1 second'")
    jobs.sweep()
    start_worker("", app="worker.main")
    until(is_in(run_id, "finished"), seconds=120)
    is_published_once(run_id, tmp_path)


def test_it_bears_a_database_that_is_away_for_a_moment(run_id: int, start_worker: Start, tmp_path: Path) -> None:
    start_worker("", app="worker.main")
    until(is_under_way(run_id), seconds=90)
    with psycopg.connect(get_settings().database_url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tiebreak'")
    engine().dispose()
    until(is_in(run_id, "finished"), seconds=120)
    assert run_row(run_id, ["attempt"]).attempt == 1
    is_published_once(run_id, tmp_path)


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
