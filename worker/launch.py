"""Starts the processes of a run that trains in several, and ends them together.

    python -m worker.launch COUNT PROGRAM [ARGUMENT …]

Each gets the same command, its rank and a file to meet the others by (`processes.py`). As soon as one has ended otherwise than
well, the others are ended too, since they would wait for it, and this process ends as that one did: with its exit status, or by
its signal after a word on which one it was. So `supervise.py` sees one trainer, however many there are.

Why not `torchrun`, which `elastic.py` uses for several machines: whatever happened, it ends with status 1, so that a killed
trainer and one whose claim is lost look alike; it answers SIGTERM itself while its trainers still end their step; its trainers
outlive it when it is killed; and it opens a port. Nothing here loads torch.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from app.settings import get_settings
from app.tied import tied
from worker import devices

RANK: Final = "TIEBREAK_PROCESS"
COUNT: Final = "TIEBREAK_PROCESSES"
RENDEZVOUS: Final = "TIEBREAK_RENDEZVOUS"
"""Environment variables of each process: its place, how many there are, and the file where they meet."""
MACHINES: Final = "TIEBREAK_MACHINES"
FIRST: Final = "TIEBREAK_FIRST_MACHINE"
"""Where several machines train (`elastic.py`): how many, and 1 on the first; the rest is in torchrun's own variables."""
MOST_PROCESSES: Final = 64
LOOK_EVERY_S = 0.1
LAST_WORDS_S = 2.0
"""For the others to end by themselves, as they do when all found the same fault."""


def main(count: int, command: Sequence[str]) -> int:
    """The exit status of the first that did not end well, or 0."""
    with tempfile.TemporaryDirectory(prefix="tiebreak-processes-") as folder:
        trainers = [start(command, rank, count, Path(folder) / "rendezvous") for rank in range(count)]
        signal.signal(signal.SIGTERM, lambda number, _: pass_on(number, trainers))
        ended = watch(trainers)
        for each in trainers:
            each.kill()
            each.wait()
    if ended is None:
        return 0
    return end_as(trainers[ended].returncode, f"process {ended + 1} of {count}")


def end_as(status: int, who: str) -> int:
    """The status to exit with; of a process that was killed, this one's end by the same signal."""
    if status < 0:
        name = signal.Signals(-status).name
        print(f"{who} was ended by {name}, and so the others were ended too", flush=True)  # noqa: T201 -- the run's log
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    return status


def machines(processes: int, environment: Mapping[str, str]) -> int:
    """How many machines train a run of so many processes: all that there are, or the first one alone."""
    there = get_settings().nodes
    if there == 1 or processes % there or processes <= max(1, len(devices.all_gpus(environment))):
        return 1
    return there


def launcher(processes: int, name: str, environment: Mapping[str, str], *, is_first: bool) -> list[str]:
    """What goes before a trainer's command: nothing for one process, this file for several, `elastic.py` for several machines."""
    if processes == 1:
        return []
    there = machines(processes, environment)
    if there == 1:
        return [sys.executable, "-m", "worker.launch", str(processes)]
    told = [str(there), str(processes // there), "first" if is_first else "other", get_settings().rdzv_endpoint, name]
    return [sys.executable, "-m", "worker.elastic", *told]


def start(command: Sequence[str], rank: int, count: int, rendezvous: Path) -> subprocess.Popen[bytes]:
    """Tied to us, with its share of the cores, talking to the others over the loopback alone."""
    told = {RANK: str(rank), COUNT: str(count), RENDEZVOUS: str(rendezvous)}
    usual = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))}
    if sys.platform == "linux":
        usual |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    return subprocess.Popen([*tied(), *command], env=usual | os.environ | told)  # noqa: S603 -- the command is our own


def pass_on(number: int, trainers: Sequence[subprocess.Popen[bytes]]) -> None:
    for each in trainers:
        each.send_signal(number)


def watch(trainers: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """The place of the first that did not end well, once the others have had a moment too; None when all have."""
    bad: int | None = None
    deadline = float("inf")
    while any(each.poll() is None for each in trainers) and time.monotonic() < deadline:
        if bad is None:
            bad = _first_bad(trainers)
            deadline = deadline if bad is None else time.monotonic() + LAST_WORDS_S
        time.sleep(LOOK_EVERY_S)
    return _first_bad(trainers) if bad is None else bad


def _first_bad(trainers: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """One that was killed before one that says how it ended: that one may have ended for want of the first."""
    ended = [(each.returncode, place) for place, each in enumerate(trainers) if each.poll()]
    return min(ended, default=(0, None))[1]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
