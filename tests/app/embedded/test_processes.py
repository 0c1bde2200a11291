import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.embedded.leftovers import MARK, end_leftovers
from app.embedded.lock import data_folder_lock, running
from app.embedded.processes import Child
from app.embedded.supervisor import end_together
from app.errors import Mistake
from app.settings import ROOT

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
]


PATIENCE_S = 120


def last_of(number: int, folder: Path) -> list[str]:
    """A program that is asked to end, and waits until so many of its kind were."""
    script = (
        "import os, pathlib, signal, time\n"
        f"asked = pathlib.Path({str(folder / 'asked')!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: (asked.mkdir(exist_ok=True), (asked / str(os.getpid())).touch()))\n"
        "print('here', flush=True)\n"
        f"while not asked.exists() or len(list(asked.iterdir())) < {number}: time.sleep(0.01)\n"
        "os._exit(0)\n"  # at once: it may be asked again while Python cleans up and listens no more
    )
    return [sys.executable, "-c", script]


def wait_for_word(log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while "here" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def python(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_child_is_ended_by_its_signal(tmp_path: Path):
    child = Child("sleeper", SLEEP, tmp_path / "log")
    child.start()
    wait_for_word(child.log)
    child.end()
    assert child.status() == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path):
    child = Child("deaf", DEAF, tmp_path / "log")
    child.start()
    wait_for_word(child.log)
    child.end(patience_s=0.2)
    assert child.status() == -signal.SIGKILL


def test_children_are_waited_for_together(tmp_path: Path):
    """Each ends by itself once all of them were asked to."""
    children = [Child(f"last{number}", last_of(3, tmp_path), tmp_path / f"log{number}") for number in range(3)]
    for child in children:
        child.start()
        wait_for_word(child.log)
    end_together(children, patience_s=PATIENCE_S)
    assert {child.status() for child in children} == {0}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_child_dies_with_its_parent_even_if_that_was_killed(tmp_path: Path):
    script = (
        "import time; from pathlib import Path; from app.embedded.processes import Child;"
        f"child = Child('sleeper', {SLEEP!r}, Path({str(tmp_path / 'log')!r})); child.start();"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with python(script) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        wait_for_word(tmp_path / "log")
        parent.kill()
        psutil.wait_procs([child], timeout=PATIENCE_S)
        assert not child.is_running()


def test_leftovers_of_one_data_folder_are_ended_and_nothing_else(tmp_path: Path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    processes = {
        home: subprocess.Popen(["sleep", "600"], env=os.environ | {MARK: str(home)}, start_new_session=True)
        for home in (ours, theirs)
    }
    try:
        assert end_leftovers(ours) == 1
        assert processes[ours].poll() is not None
        assert processes[theirs].poll() is None
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def test_a_data_folder_has_one_holder_who_says_who_it_is(tmp_path: Path):
    with data_folder_lock(tmp_path) as lock:
        lock.note("running", address="http://here:1")
        with pytest.raises(Mistake, match=f"process {os.getpid()}, http://here:1"), data_folder_lock(tmp_path):
            pass
        assert (running(tmp_path) or {})["state"] == "running"
    assert running(tmp_path) is None


def test_the_lock_is_free_once_its_holder_was_killed(tmp_path: Path):
    script = (
        "import time; from pathlib import Path; from app.embedded.lock import data_folder_lock\n"
        f"with data_folder_lock(Path({str(tmp_path)!r})): print('held', flush=True); time.sleep(600)"
    )
    with python(script) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        holder.wait()
    with data_folder_lock(tmp_path):
        pass


def test_who_comes_while_another_one_stops_waits_for_it(tmp_path: Path):
    script = (
        "import time; from pathlib import Path; from app.embedded.lock import data_folder_lock\n"
        f"with data_folder_lock(Path({str(tmp_path)!r})) as lock:\n"
        "    lock.note('stopping'); print('held', flush=True); time.sleep(0.5)"
    )
    with python(script) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with data_folder_lock(tmp_path):
            assert holder.wait(PATIENCE_S) == 0
