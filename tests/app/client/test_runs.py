"""Waiting for a run, however it ends, and whoever stops waiting."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from app import db
from app.client import Client, ConflictError, RunCancelledError, RunFailedError, StillRunningError, TiebreakError
from app.models import User
from app.settings import ROOT
from tests import trained
from tests.ordered import change_run, ordered_run, run_row

PATIENCE_S = 60


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.02)


@pytest.fixture
def ordered(client: Client, ada: User) -> int:
    with db.work_unit() as session:
        trained.make_trainer(session)
        trained.make_dataset(session)
    run = client.train("sft", "pairs", base_model="blank", name="helpful", max_steps=40, seed=7)
    assert (run.state, run.dataset_name, run.base_model) == ("queued", "pairs@v1", "blank")
    assert (run.checkpoint_name, run.settings["max_steps"], run.settings["seed"]) == ("helpful", 40, 7)
    return run.id


def test_it_shows_each_stage_and_returns_the_finished_run(
    client: Client, ordered: int, monkeypatch: pytest.MonkeyPatch
):
    """A trainer moves on as soon as the stage before has been shown."""
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)

    def trainer() -> None:
        until(lambda: "waiting for a trainer" in shown.getvalue())
        change_run(ordered, "state = 'claimed', stage = 'starting'")
        change_run(ordered, "state = 'running', stage = 'training', step = 10, total_steps = 40, seconds_left = 3")
        until(lambda: "training, 3 s left" in shown.getvalue())
        change_run(ordered, "step = 40, state = 'finished', stage = '', seconds_left = NULL, finished_at = now()")

    working = threading.Thread(target=trainer)
    working.start()
    run = client.run(ordered).wait()
    working.join()
    assert (run.state, run.step) == ("finished", 40)
    assert f"run {ordered} (sft)" in shown.getvalue()


def test_a_run_that_fails_says_why(client: Client, ordered: int):
    change_run(ordered, "state = 'claimed'")
    change_run(ordered, "state = 'failed', error = 'The loss is not a number.', finished_at = now()")
    with pytest.raises(RunFailedError, match=f"run {ordered} failed: The loss is not a number"):
        client.run(ordered).wait(progress=False)


def test_a_run_can_be_cancelled_and_resumed(client: Client, ordered: int):
    run = client.run(ordered)
    assert run.cancel().state == "cancelled"
    with pytest.raises(RunCancelledError) as cancelled:
        run.wait(progress=False)
    assert cancelled.value.run.is_over
    with pytest.raises(RunCancelledError):
        run.checkpoint()
    assert cancelled.value.run.resume().state == "queued"
    with pytest.raises(ConflictError):
        run.resume()


def test_who_waits_for_a_time_only_is_told_and_the_run_goes_on(client: Client, ordered: int):
    with pytest.raises(StillRunningError, match="waiting for a trainer") as late:
        client.run(ordered).wait(progress=False, timeout_s=0)
    assert isinstance(late.value, TimeoutError)
    assert run_row(ordered, ["state"]).state == "queued"


def test_what_it_published_and_measured(client: Client, ada: User):
    with db.work_unit() as session:
        made = trained.make_run(session, state="finished")
        trained.add_metrics(session, made, 5)
        published = trained.make_checkpoint(session, made).id
    run = client.run(made.id)
    assert run.wait(progress=False).checkpoint().id == published
    assert [one["step"] for one in run.metrics()] == [0, 1, 2, 3, 4]
    assert [one.id for one in client.runs()] == [made.id]
    waiting = client.run(ordered_run(ada))
    with pytest.raises(TiebreakError, match="published nothing yet; it is queued"):
        waiting.checkpoint()


WAITING = """
import signal, sys
from app.client import Client
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts tests in the background has it ignored
with Client() as client:
    client.run(int(sys.argv[1])).wait()
"""


def test_control_c_stops_the_waiting_and_not_the_run(server: str, token: str, ordered: int):
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, str(ordered)],
        env={**os.environ, "TIEBREAK_URL": server, "TIEBREAK_TOKEN": token, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as waiting:
        try:
            assert waiting.stderr is not None
            told = b""
            while b"waiting for a trainer" not in told:
                more = waiting.stderr.read(200)
                assert more, told
                told += more
            waiting.send_signal(signal.SIGINT)
            told += waiting.communicate(timeout=PATIENCE_S)[1]
        finally:
            waiting.kill()
    assert f"Run {ordered} goes on; `client.run({ordered}).wait()`" in told.decode()
    assert run_row(ordered, ["state"]).state == "queued"
