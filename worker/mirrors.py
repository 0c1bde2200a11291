"""Starts a process for each tracking server that a run is mirrored to (`mirror.py`), and sees them out when the attempt is over.

They are no part of the run: one that cannot be started, dies or hangs is said in the log, and the run goes on. Once the attempt is
over they have their time to tell the rest while the trainer takes its next run; only a worker that stops does not wait for them.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.settings import ROOT, Mirror, get_settings
from app.tied import tied
from worker.lease import Claim

LONGEST_GOODBYE_S = 900.0
"""For one whose server takes all that it is told, or that hangs in its library: by itself it ends sooner (`mirror.py`)."""
_log = logging.getLogger(__name__)


@contextmanager
def mirrored(held: Claim, log: Path) -> Iterator[None]:
    """Mirror one attempt. What people should know goes to its log, what the libraries say to a file beside it."""
    started = [(mirror, _start(held, mirror, log)) for mirror in get_settings().mirrors]
    try:
        yield
    finally:
        for mirror, process in started:
            if process is not None:
                _see_out(held.run_id, mirror, process)


def _start(held: Claim, mirror: Mirror, log: Path) -> subprocess.Popen[bytes] | None:
    command = [*tied(), sys.executable, "-m", "worker.mirror", str(held.run_id), str(mirror), str(held.fence)]
    try:
        with log.open("ab") as output, log.with_name(f"mirror-{mirror.kind}.txt").open("ab") as chatter:
            return subprocess.Popen(  # noqa: S603 -- the command comes from our own code
                command, stdin=subprocess.PIPE, stdout=output, stderr=chatter, cwd=ROOT, start_new_session=True
            )
    except OSError as problem:
        _log.warning("run %s is not mirrored to %s: %s", held.run_id, mirror, problem)
        return None


def _see_out(run_id: int, mirror: Mirror, process: subprocess.Popen[bytes]) -> None:
    """Tell it that the attempt is over, and wait for its end beside what this process does next."""
    assert process.stdin is not None
    process.stdin.close()
    threading.Thread(target=_wait_for, args=[run_id, mirror, process], name=f"mirror-{run_id}", daemon=True).start()


def _wait_for(run_id: int, mirror: Mirror, process: subprocess.Popen[bytes]) -> None:
    try:
        status = process.wait(LONGEST_GOODBYE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # and what its library has started
        status = process.wait()
    if status:
        _log.warning(
            "run %s is not mirrored whole to %s (status %s); later: python -m worker.mirror %s %s",
            *(run_id, mirror, status, run_id, mirror),
        )
