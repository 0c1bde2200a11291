"""What becomes of a run, however its trainer ends. Trainers are small Python programs; everything else is real."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from app import db, doorbell
from app.models import User
from app.settings import get_settings
from tests.ordered import change_run, ordered_run, run_row
from worker import exits
from worker import supervise as supervising
from worker.supervise import Command, Lifeline, supervise, trainer_command

PATIENT = "import time; print('working', flush=True); time.sleep(600)"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('working', flush=True); time.sleep(600)"
)
POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
print('working', flush=True)
time.sleep(600)
"""
RUN_LEASE = "SELECT lease_until FROM run WHERE id = %s"
ENDS_WHAT_WAITS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
FINISHING = """
import sys
from sqlalchemy import text
from app.db import work_unit
with work_unit() as session:
    session.execute(text("UPDATE run SET state = 'running' WHERE id = :id"), {"id": int(sys.argv[1])})
    session.execute(text("UPDATE run SET state = 'finished', finished_at = now() WHERE id = :id AND fence = :fence"),
        {"id": int(sys.argv[1]), "fence": int(sys.argv[2])})
"""


@pytest.fixture(autouse=True)
def stage(silence: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short lease, and no log of an earlier story, whose run had the same number."""
    monkeypatch.setenv("TRAINER_LEASE_S", "3")
    get_settings.cache_clear()
    shutil.rmtree(get_settings().home / "runs", ignore_errors=True)
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def program(source: str) -> Command:
    return lambda run_id, fence: [sys.executable, "-c", source, str(run_id), str(fence)]


def run_through(run_id: int, source: str) -> None:
    supervise(run_id, owner="train@here", lifeline=Lifeline(), command=program(source))


@contextmanager
def running(run_id: int, source: str) -> Iterator[tuple[psutil.Process, Lifeline]]:
    """A supervisor in a thread of its own, and its trainer once that works; at the end the run is settled."""
    lifeline = Lifeline()
    kind = {"owner": "train@here", "lifeline": lifeline, "command": program(source)}
    thread = threading.Thread(target=supervise, args=[run_id], kwargs=kind)
    thread.start()
    try:
        until(lambda: "working" in log_of(run_id))
        (trainer,) = [child for child in psutil.Process().children() if source in child.cmdline()]
        yield trainer, lifeline
        thread.join(timeout=120)
    finally:
        lifeline.let_go()
        thread.join(timeout=120)
        assert not thread.is_alive()


def until(condition: object, seconds: float = 120) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def log_of(run_id: int, attempt: int = 1) -> str:
    log = get_settings().home / "runs" / str(run_id) / f"attempt-{attempt}" / "log.txt"
    return log.read_text() if log.exists() else ""


def test_it_leaves_a_run_as_its_trainer_has_closed_it(ada: User) -> None:
    run_id = ordered_run(ada)
    run_through(run_id, FINISHING)
    assert run_row(run_id, ["state", "attempt", "owner"]) == ("finished", 1, "train@here")


def test_it_lets_a_trainer_put_its_things_away_that_has_closed_its_run(ada: User) -> None:
    run_id = ordered_run(ada)
    run_through(run_id, FINISHING + "import time; time.sleep(2); print('tidy')")
    assert "tidy" in log_of(run_id)
    assert run_row(run_id, ["state"]).state == "finished"


def test_it_does_not_wait_for_ever_for_a_trainer_that_has_closed_its_run(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "CLOSING_PATIENCE_S", 0.5)
    run_id = ordered_run(ada)
    run_through(run_id, FINISHING + PATIENT)
    assert run_row(run_id, ["state"]).state == "finished"


def test_it_starts_nothing_for_a_second_message_while_the_run_is_alive(ada: User) -> None:
    run_id = ordered_run(ada)
    with running(run_id, POLITE) as (trainer, lifeline):
        run_through(run_id, "open('/nowhere/at/all')")
        assert trainer.is_running()
        assert run_row(run_id, ["state", "fence", "attempt"]) == ("claimed", 1, 1)
        lifeline.let_go()


def test_it_keeps_the_lease_of_a_run_that_takes_longer_than_one(ada: User) -> None:
    run_id = ordered_run(ada)
    with running(run_id, POLITE) as (_, lifeline):
        first = run_row(run_id, ["lease_until"]).lease_until
        until(lambda: run_row(run_id, ["lease_until"]).lease_until > first)
        lifeline.let_go()


def test_it_says_with_the_end_of_the_log_why_a_trainer_failed_that_could_not(ada: User) -> None:
    run_id = ordered_run(ada)
    run_through(run_id, "raise SystemExit('the model has no head')")
    row = run_row(run_id, ["state", "error", "finished_at"])
    assert row.state == "failed"
    assert "status 1" in row.error
    assert "the model has no head" in row.error
    assert row.finished_at is not None


def test_it_does_not_believe_a_trainer_that_ends_well_without_a_word(ada: User) -> None:
    run_id = ordered_run(ada)
    run_through(run_id, "pass")
    assert run_row(run_id, ["state"]).state == "failed"


def test_it_queues_and_rings_again_when_its_trainer_is_killed(ada: User) -> None:
    run_id = ordered_run(ada)
    with running(run_id, PATIENT) as (trainer, _):
        os.kill(trainer.pid, signal.SIGKILL)
    assert run_row(run_id, ["state", "attempt", "error"]) == ("queued", 1, None)
    assert doorbell.messages_waiting("train") == 1
    run_through(run_id, FINISHING)
    assert run_row(run_id, ["state", "attempt", "fence"]) == ("finished", 2, 2)


def test_it_fails_with_words_when_its_trainer_is_killed_again_and_again(ada: User) -> None:
    run_id = ordered_run(ada)
    for _ in range(3):
        run_through(run_id, "import os; print('loading 40 GB', flush=True); os.kill(os.getpid(), 9)")
    row = run_row(run_id, ["state", "attempt", "error"])
    assert (row.state, row.attempt) == ("failed", 3)
    assert "no memory left" in row.error
    assert "loading 40 GB" in row.error


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (exits.PARTED, "Another machine that trains this run did not come"),
        (exits.AWAY, "The database did not answer the trainer"),
    ],
)
def test_a_run_that_loses_what_it_needs_is_tried_again_and_then_fails_with_words(
    ada: User, status: int, words: str
) -> None:
    run_id = ordered_run(ada)
    parted = f"print('connection closed by gpu-2', flush=True); raise SystemExit({status})"
    run_through(run_id, parted)
    assert run_row(run_id, ["state", "attempt", "error"]) == ("queued", 1, None)
    for _ in range(2):
        run_through(run_id, parted)
    row = run_row(run_id, ["state", "attempt", "error"])
    assert (row.state, row.attempt) == ("failed", 3)
    assert words in row.error
    assert "closed by gpu-2" in row.error


def test_it_stops_a_trainer_that_a_person_cancels(ada: User) -> None:
    run_id = ordered_run(ada)
    with running(run_id, POLITE) as (trainer, _):
        change_run(run_id, "state = 'cancelling'")
        until(lambda: not trainer.is_running())
    row = run_row(run_id, ["state", "error", "finished_at"])
    assert (row.state, row.error) == ("cancelled", None)
    assert row.finished_at is not None
    assert doorbell.messages_waiting("train") == 0
    assert log_of(run_id).endswith(" the run was cancelled\n")


def test_it_kills_a_trainer_that_does_not_listen(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "CANCEL_PATIENCE_S", 0.5)
    run_id = ordered_run(ada)
    with running(run_id, DEAF) as (trainer, _):
        change_run(run_id, "state = 'cancelling'")
        until(lambda: not trainer.is_running())
    assert run_row(run_id, ["state"]).state == "cancelled"


def test_it_puts_the_run_back_when_its_worker_shuts_down(ada: User) -> None:
    run_id = ordered_run(ada)
    with running(run_id, POLITE) as (_, lifeline):
        lifeline.let_go()
    assert run_row(run_id, ["state", "attempt"]) == ("queued", 0)
    assert doorbell.messages_waiting("train") == 1
    assert log_of(run_id).endswith(" the worker shut down: the run goes back to the queue\n")


def test_it_kills_its_trainer_when_somebody_else_has_the_run(ada: User) -> None:
    run_id = ordered_run(ada)
    with running(run_id, PATIENT) as (trainer, _):
        change_run(run_id, "fence = fence + 1, owner = 'train@there'")
        until(lambda: not trainer.is_running())
    assert run_row(run_id, ["state", "owner", "error"]) == ("claimed", "train@there", None)


def test_it_writes_nothing_for_a_trainer_that_was_fenced_out(ada: User) -> None:
    run_id = ordered_run(ada)
    run_through(run_id, "raise SystemExit(3)")
    assert run_row(run_id, ["state", "error"]) == ("claimed", None)


def test_it_ends_what_its_trainer_has_started(ada: User) -> None:
    run_id = ordered_run(ada)
    run_through(run_id, f"import subprocess as s, sys; print(s.Popen([sys.executable, '-c', {PATIENT!r}]).pid)")
    grandchild = int(log_of(run_id).split()[0])
    until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")


def test_it_tidies_up_after_a_trainer_that_was_killed(ada: User) -> None:
    run_id = ordered_run(ada)
    run_through(run_id, "import os, tempfile; print(tempfile.mkdtemp(), flush=True); os.kill(os.getpid(), 9)")
    left_behind = Path(log_of(run_id).strip())
    assert left_behind.is_relative_to(get_settings().home)
    assert not left_behind.exists()


def test_it_bears_a_database_that_is_away_for_a_beat(ada: User, caplog: pytest.LogCaptureFixture) -> None:
    run_id = ordered_run(ada)
    address = get_settings().database_url.replace("+psycopg", "")
    with running(run_id, POLITE) as (trainer, lifeline), psycopg.connect(address, autocommit=True) as other:
        first = other.execute(RUN_LEASE, [run_id]).fetchone()
        with psycopg.connect(address) as holding:
            holding.execute("SELECT id FROM run FOR UPDATE")
            until(lambda: other.execute(ENDS_WHAT_WAITS).fetchone() > (0,))
        until(lambda: other.execute(RUN_LEASE, [run_id]).fetchone() > first)
        assert trainer.is_running()
        lifeline.let_go()
    db.engine().dispose()
    assert "could not be renewed" in caplog.text
    assert run_row(run_id, ["state"]).state == "queued"


def test_it_fails_a_run_whose_trainer_cannot_be_started(ada: User) -> None:
    run_id = ordered_run(ada)
    (get_settings().home / "runs").write_text("in the way")
    run_through(run_id, "pass")
    (get_settings().home / "runs").unlink()
    row = run_row(run_id, ["state", "error"])
    assert row.state == "failed"
    assert "could not be started" in row.error


def test_it_starts_the_trainer_of_this_installation() -> None:
    assert trainer_command(7, 2) == [sys.executable, "-m", "worker.train", "--run", "7", "--fence", "2"]
