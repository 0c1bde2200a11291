"""Celery workers as they are started in earnest, and what becomes of a run when they end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, select

from app import doorbell, jobs
from app.db import work_unit
from app.models import Trainer, User
from app.settings import ROOT
from tests.ordered import change_run, ordered_run, run_row
from tests.worker.test_supervise import FINISHING, POLITE, log_of, stage, until
from worker import presence

Start = Callable[..., subprocess.Popen[bytes]]
__all__ = ["stage"]  # its fixture: a short lease and no messages


@pytest.fixture
def start_worker(stage: None, home: Path) -> Iterator[Start]:
    workers: list[subprocess.Popen[bytes]] = []

    def start(trainer: str, app: str = "tests.worker.stand_in", **told: str) -> subprocess.Popen[bytes]:
        command = f"celery -A {app} worker -Q train -n train@%h --without-gossip --without-mingle"
        log = (home / "worker.log").open("ab")
        environment = os.environ | {"TRAINER": trainer} | told
        words = [sys.executable, "-m", *command.split()]
        worker = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        workers.append(worker)
        log.close()
        return worker

    yield start
    for worker in workers:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


ON_ITS_GPUS = "import os; print('computes on', os.environ['CUDA_VISIBLE_DEVICES'])\n" + POLITE


def is_in(run_id: int, state: str) -> Callable[[], bool]:
    return lambda: run_row(run_id, ["state"]).state == state


def ring(run_id: int) -> None:
    with work_unit() as session:
        doorbell.ring(session, "runs.train", run_id)


def trainers_of(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [process for process in psutil.Process(worker.pid).children(recursive=True) if POLITE in process.cmdline()]


def test_it_trains_what_waited_for_it_and_puts_back_what_it_cannot_finish(ada: User, start_worker: Start) -> None:
    waiting = ordered_run(ada)
    worker = start_worker(POLITE)
    until(lambda: "working" in log_of(waiting))
    assert run_row(waiting, ["owner"]).owner.startswith("train@")
    worker.terminate()
    assert worker.wait(timeout=120) == 0
    assert run_row(waiting, ["state", "attempt"]) == ("queued", 0)
    assert doorbell.messages_waiting("train") == 1


def test_it_takes_its_trainer_along_when_it_is_killed_and_another_worker_finishes(
    ada: User, start_worker: Start
) -> None:
    run_id = ordered_run(ada)
    worker = start_worker(POLITE)
    until(lambda: "working" in log_of(run_id))
    (trainer,) = trainers_of(worker)
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: not trainer.is_running())
    change_run(run_id, "lease_until = now() + interval '1 hour'")
    jobs.sweep()
    assert run_row(run_id, ["state", "fence"]) == ("claimed", 1)  # the lease has not run out yet
    change_run(run_id, "lease_until = now() - interval '1 second'")
    jobs.sweep()
    start_worker(FINISHING)
    until(is_in(run_id, "finished"))
    assert run_row(run_id, ["attempt", "fence"]) == (2, 3)


@pytest.mark.slow
def test_it_goes_on_with_the_run_that_waited_for_the_first_ones_checkpoint(ada: User, start_worker: Start) -> None:
    first = ordered_run(ada, checkpoint_name="starter")
    second = ordered_run(ada, base_model="starter")
    for run_id in (second, first):
        ring(run_id)
    start_worker(FINISHING)
    until(is_in(second, "finished"))
    assert run_row(first, ["state"]).state == "finished"


@pytest.mark.slow
def test_it_starts_nothing_for_messages_about_runs_that_have_ended(ada: User, start_worker: Start) -> None:
    ended, fresh = ordered_run(ada, state="finished"), ordered_run(ada)
    for run_id in (ended, ended, fresh, fresh):
        ring(run_id)
    start_worker(FINISHING)
    until(lambda: is_in(fresh, "finished")() and not doorbell.messages_waiting("train"))
    assert run_row(ended, ["attempt"]).attempt == 0
    assert run_row(fresh, ["attempt"]).attempt == 1


def test_runs_that_train_at_once_are_shown_gpus_of_their_own(ada: User, start_worker: Start) -> None:
    runs = [ordered_run(ada) for _ in range(2)]
    start_worker(ON_ITS_GPUS, TRAIN_SLOTS="2", CUDA_VISIBLE_DEVICES="4,5")
    until(lambda: all("computes on" in log_of(run_id) for run_id in runs))
    assert {log_of(run_id).partition("computes on ")[2][0] for run_id in runs} == {"4", "5"}


def test_it_announces_what_it_can_train(database: Engine, start_worker: Start) -> None:
    start_worker("", app="worker.main")
    until(lambda: bool(rows()))
    (trainer,) = rows()
    assert trainer.name.startswith("train@")
    assert trainer.device
    assert "torch" in trainer.versions
    assert [method["name"] for method in trainer.methods][:3] == ["sft", "reward", "dpo"]
    settings = {setting["name"]: setting for setting in trainer.methods[0]["settings"]}
    assert settings["epochs"]["type"] == "int"
    assert settings["epochs"]["help"]
    assert presence.be_seen(trainer.name)
    assert rows()[0].last_seen_at > trainer.last_seen_at


def rows() -> list[Trainer]:
    with work_unit() as session:
        return list(session.scalars(select(Trainer)))


def test_it_is_not_seen_before_it_is_announced(database: Engine) -> None:
    assert not presence.be_seen("train@nowhere")


def test_it_loads_no_torch_where_a_trainer_may_be_forked() -> None:
    heavy = "{name for name in ('torch', 'transformers', 'numpy') if name in sys.modules}"
    for module in ("worker.main", "app.jobs"):
        told = subprocess.run(
            [sys.executable, "-c", f"import sys, {module}; print({heavy})"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == "set()"
