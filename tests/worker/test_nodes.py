"""One run on two machines, which are two folders of this one: torchrun's rendezvous, the same weights, and a machine that dies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from app.settings import ROOT, get_settings
from benchmarks.servers import free_port
from tests.ordered import change_run
from tests.worker.test_processes import WAITING, distance, keeps_of, steps, supervised
from tests.worker.test_supervise import log_of, until
from tests.worker.test_train import SMALL, checkpoints, claimed, copied, the_run, trained
from worker import exits, launch, nodes

__all__ = ["claimed"]  # a fixture

ORDER = SMALL | {"groups_per_step": 29, "learning_rate": 0.001}


@pytest.fixture
def two_machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is the first one's worker."""
    told = {"NODES": "2", "RDZV_ENDPOINT": f"127.0.0.1:{free_port()}", "GLOO_SOCKET_IFNAME": "lo"}
    told |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@contextmanager
def other_machine(folder: Path) -> Iterator[psutil.Process]:
    """A machine with a folder of its own, which shares database and storage with the first."""
    own = {"TIEBREAK_HOME": str(folder), "STORAGE_URL": get_settings().storage, "NODE_OF": "train@here"}
    folder.mkdir(exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "worker.nodes"], cwd=ROOT, env=os.environ | own, stdout=log, stderr=log
        )
    try:
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        assert started.wait(timeout=60) in {0, -signal.SIGKILL}


@pytest.mark.slow
def test_two_machines_come_to_the_weights_of_one(claimed: Any, tmp_path: Path, two_machines: None) -> None:
    trained(claimed(checkpoint_name="starter"))
    run_id = claimed("dpo", "starter", settings=ORDER | {"processes": 2}, checkpoint_name="two", **WAITING)
    with other_machine(tmp_path / "other"):
        supervised(run_id)
    assert the_run(run_id).state == "finished", the_run(run_id).error or log_of(run_id)
    assert (tmp_path / "other" / "runs" / str(run_id) / "attempt-1" / "log.txt").exists()
    one = claimed("dpo", "starter", settings=ORDER, checkpoint_name="one")
    assert trained(one) == exits.FINISHED

    for ours, theirs in zip(steps(run_id), steps(one), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4, abs=1e-5)
    folders = {each.name: copied(each, tmp_path / each.name) for each in checkpoints()}
    weights = {name: load_file(folder / "model.safetensors") for name, folder in folders.items()}
    moved = distance(weights["one"], weights["starter"], weights["starter"].keys() & weights["one"].keys())
    assert distance(weights["one"], weights["two"], weights["one"].keys()) < 1e-3 * moved


@pytest.mark.slow
def test_a_run_that_loses_a_machine_goes_on_from_its_last_state_once_that_is_back(
    claimed: Any, tmp_path: Path, two_machines: None
) -> None:
    trained(claimed(checkpoint_name="starter"))
    how = ORDER | {"processes": 2, "max_steps": 100_000, "save_steps": 5}
    run_id = claimed("dpo", "starter", settings=how, checkpoint_name="two", **WAITING)
    first = threading.Thread(target=supervised, args=[run_id])
    with other_machine(tmp_path / "other") as machine:
        first.start()
        until(lambda: bool(keeps_of(run_id)), seconds=240)
        for process in [machine, *machine.children(recursive=True)]:
            process.kill()
        first.join(timeout=120)
        assert not first.is_alive()
    run = the_run(run_id)
    assert (run.state, run.error, run.in_vain) == ("queued", None, 0)
    assert "Traceback" in log_of(run_id)
    assert run.fence == 1
    last = max(keeps_of(run_id)) + 5
    change_run(run_id, f"settings = jsonb_set(settings, '{{max_steps}}', '{last}')")
    with other_machine(tmp_path / "back"):
        supervised(run_id)
    run = the_run(run_id)
    assert run.state == "finished", run.error or log_of(run_id)
    assert len(steps(run_id)) == last
    assert (tmp_path / "back" / "runs" / str(run_id) / "attempt-2" / "log.txt").exists()


@pytest.mark.slow
def test_both_machines_end_their_step_when_a_person_cancels(claimed: Any, tmp_path: Path, two_machines: None) -> None:
    how = ORDER | {"processes": 2, "max_steps": 100_000}
    run_id = claimed(settings=how, **WAITING)
    first = threading.Thread(target=supervised, args=[run_id])
    with other_machine(tmp_path / "other") as machine:
        first.start()
        until(lambda: the_run(run_id).stage == "training" and the_run(run_id).step > 0, seconds=240)
        change_run(run_id, "state = 'cancelling'")
        first.join(timeout=120)
        assert not first.is_alive()
        until(lambda: not machine.children(recursive=True), seconds=60)
    assert the_run(run_id).state == "cancelled"
    assert len(keeps_of(run_id)) == 1


@pytest.mark.parametrize(
    ("processes", "gpus", "expected"),
    [(1, "", 1), (2, "", 2), (3, "", 1), (4, "0,1,2,3", 1), (8, "0,1,2,3", 2), (7, "0,1,2,3", 1)],
)
def test_a_run_is_spread_where_one_machine_has_too_few_gpus(
    two_machines: None, processes: int, gpus: str, expected: int
) -> None:
    assert launch.machines(processes, {"CUDA_VISIBLE_DEVICES": gpus}) == expected


def test_a_machine_that_is_told_too_little_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    get_settings.cache_clear()
    with pytest.raises(SystemExit, match="with NODE_OF by its name the trainer of the first one"):
        nodes.main()


@pytest.mark.parametrize(
    ("told", "words"),
    [({"NODES": "2"}, "NODES needs RDZV_ENDPOINT"), ({"TRAIN_SLOTS": "2"}, "NODES needs TRAIN_SLOTS=1")],
)
def test_settings_that_do_not_go_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], words: str
) -> None:
    enough = {} if "NODES" in told else {"NODES": "2", "RDZV_ENDPOINT": "here:29400"}
    for name, value in (enough | told).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    with pytest.raises(ValueError, match=words):
        get_settings()
    monkeypatch.undo()
    get_settings.cache_clear()
