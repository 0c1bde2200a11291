"""One run, one child process: claim it, start its trainer, keep the lease, and see to its end.

The Celery job that calls `supervise` loads no torch, so a trainer that dies takes nothing along: GPU memory, a
half-broken CUDA context and a leaking tokenizer go with its process. The trainer writes what it measures and how it
ended into the run's row, each time with its fence; the supervisor only speaks for it when it could not.

    the trainer …                                the run …
      finished, failed (and said so)               stays as the trainer left it
      ended by itself without a word               has failed, with the end of its log
      was killed by a signal                       goes back to the queue, unless `MAX_ATTEMPTS` in a row got no further
      was stopped because a person cancelled       is cancelled
      was stopped because this worker shuts down   goes back to the queue, and the attempt does not count
      lost another machine, or the database        goes back to the queue, as if it had been killed
      lost its claim                               belongs to somebody else: nothing is written

When the supervisor is killed, Linux kills the trainer (`tied.py`) and the sweep of `app/jobs.py` gives the run back
once the lease has run out. Times are in seconds of the monotonic clock; those in the row are the database's own.
"""

import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from types import MappingProxyType

from sqlalchemy.exc import DBAPIError

from app.models.run import MAX_ATTEMPTS
from app.settings import ROOT, get_settings
from app.tied import tied
from worker import exits, lease
from worker.away import is_away
from worker.launch import launcher
from worker.lease import Claim, Standing
from worker.log_copy import LogCopy
from worker.mirrors import mirrored
from worker.watching import Watcher

CANCEL_PATIENCE_S = 30.0
"""For the trainer to end its step after a person has cancelled the run."""
CLOSING_PATIENCE_S = 30.0
"""For the process to leave once it has written how its run ended."""
SHUTDOWN_PATIENCE_S = 5.0
"""For the trainer to end its step when the worker shuts down, and whoever stopped that waits too."""
LOOK_EVERY_S = 0.2
LONGEST_BEAT_S = 2.0
LOG_TAIL_LINES = 15
LOG_TAIL_BYTES = 8000

_log = logging.getLogger(__name__)

Command = Callable[[int, int], Sequence[str]]


class Ending(Enum):
    BY_ITSELF = auto()
    CANCELLED = auto()
    SHUTDOWN = auto()
    LOST = auto()


STOPPED_BY = {
    Ending.CANCELLED: "the run was cancelled",
    Ending.SHUTDOWN: "the worker shut down: the run goes back to the queue",
}
"""What the log ends with, which would break off otherwise."""


class Lifeline:
    """A pipe whose writing end only a worker's main process holds: it breaks when that one shuts down or dies."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._is_broken = False

    def let_go(self) -> None:
        """In the main process: break it. In a child of the pool: leave it to the main process alone."""
        with suppress(OSError):
            os.close(self._writing)

    def breaks_within(self, seconds: float) -> bool:
        """Whether it is broken, having waited that long otherwise."""
        if self._is_broken:
            time.sleep(seconds)
        else:
            self._is_broken = bool(select.select([self._reading], [], [], seconds)[0])
        return self._is_broken


def trainer_command(run_id: int, fence: int) -> list[str]:
    return [sys.executable, "-m", "worker.train", "--run", str(run_id), "--fence", str(fence)]


def supervise(
    run_id: int,
    *,
    owner: str,
    lifeline: Lifeline,
    command: Command = trainer_command,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Train a run to its end, if it is there to be taken. ``environment`` says where it may compute (`devices.py`)."""
    held = lease.claim(run_id, owner)
    if held is None:
        _log.info(
            "run %s is not to be had: it was taken, ended or cancelled, or its base model is still being made", run_id
        )
        return
    folder = get_settings().home / "runs" / str(run_id)
    log, scratch = folder / f"attempt-{held.attempt}" / "log.txt", folder / "scratch"
    copy = LogCopy(held, log)
    try:
        trainer = start_trainer([*launched(held, environment), *command(run_id, held.fence)], log, scratch, environment)
    except OSError as problem:
        lease.fail(held, f"The trainer could not be started: {problem}")
        return
    _log.info("run %s, attempt %s: process %s, log in %s", run_id, held.attempt, trainer.pid, log)
    watcher = Watcher(held, log, copy, trainer.pid, environment)
    with mirrored(held, log):
        ending = Ending.LOST
        try:
            ending = _watch(trainer, held, lifeline, watcher)
        finally:
            status = end(trainer, scratch, log)
            if ending in STOPPED_BY and (status < 0 or status == exits.STOPPED):
                _add(log, STOPPED_BY[ending])
            watcher.last()
        _log.info("run %s, attempt %s: ended %s with status %s", run_id, held.attempt, ending.name, status)
        try:
            _settle(held, ending, status, log)
        except DBAPIError as problem:
            if not is_away(problem):
                raise
            _log.exception("the database is away: the sweep will settle run %s when its lease has run out", run_id)


def launched(held: Claim, environment: Mapping[str, str], *, is_first: bool = True) -> list[str]:
    """What goes before the command where several processes train; on all machines under the same name."""
    name = f"run-{held.run_id}-{held.fence}"
    return launcher(held.processes, name, os.environ | environment, is_first=is_first)


def start_trainer(
    command: Sequence[str], log: Path, scratch: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A session of its own, so that it can be ended with all it started; tied to us, so that it never outlives us.

    Its temporary files, copies of models among them, go to `scratch`, because a killed process cannot tidy up.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 -- the command comes from our own code
            [*tied(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | environment | {"PYTHONUNBUFFERED": "1", "TMPDIR": str(scratch.absolute())},
            cwd=ROOT,
            start_new_session=True,
        )


def end(trainer: subprocess.Popen[bytes], scratch: Path, log: Path) -> int:
    """Leave nothing of it behind; returns its exit status. Of a death without a word its log says the cause."""
    _signal(trainer, signal.SIGKILL)
    status = trainer.wait()
    shutil.rmtree(scratch, ignore_errors=True)
    if status < 0:
        _add(log, f"the trainer was ended by {signal.Signals(-status).name}")
    return status


def _add(log: Path, words: str) -> None:
    with suppress(OSError), log.open("a") as file:
        file.write(f"{time.strftime('%H:%M:%S')} {words}\n")


def _watch(trainer: subprocess.Popen[bytes], held: Claim, lifeline: Lifeline, watcher: Watcher) -> Ending:
    """Until the trainer has ended, or must not live any longer."""
    heart = _Heart(held)
    ending, kill_at = Ending.BY_ITSELF, float("inf")
    while trainer.poll() is None and time.monotonic() < kill_at:
        standing = heart.beat()
        if standing is Standing.LOST:
            return Ending.LOST
        watcher.look()
        is_leaving = lifeline.breaks_within(LOOK_EVERY_S)
        now = time.monotonic()
        if is_leaving and ending is not Ending.SHUTDOWN:
            ending, kill_at = Ending.SHUTDOWN, now + SHUTDOWN_PATIENCE_S
            _signal(trainer, signal.SIGTERM)
        elif standing is Standing.CANCELLING and ending is Ending.BY_ITSELF:
            ending, kill_at = Ending.CANCELLED, now + CANCEL_PATIENCE_S
            _signal(trainer, signal.SIGTERM)
        elif standing is Standing.CLOSED and ending is Ending.BY_ITSELF:
            kill_at = min(kill_at, now + CLOSING_PATIENCE_S)
    return ending


class _Heart:
    """Renews the lease in time, and gives it up for lost when the database was away for as long as it lasts."""

    def __init__(self, held: Claim) -> None:
        self.held = held
        self.lease_s = get_settings().trainer_lease_s
        self.standing = Standing.HELD
        self.renewed_at = time.monotonic()
        self.next_at = 0.0

    def beat(self) -> Standing:
        now = time.monotonic()
        if now < self.next_at:
            return self.standing
        self.next_at = now + min(LONGEST_BEAT_S, self.lease_s / 4)
        try:
            self.standing = lease.renew(self.held)
            self.renewed_at = now
        except DBAPIError as problem:
            if not is_away(problem):
                raise
            _log.warning("the lease of run %s could not be renewed: %s", self.held.run_id, problem)
            if now - self.renewed_at > self.lease_s:
                self.standing = Standing.LOST
        return self.standing


def _signal(trainer: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To its whole session: data loaders and compilers too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(trainer.pid, number)


def _settle(held: Claim, ending: Ending, status: int, log: Path) -> None:
    """Speak for a trainer that could not; where it has spoken, none of these statements matches its row any more."""
    if ending is Ending.LOST or status == exits.FENCED:
        return
    if ending is Ending.CANCELLED:
        lease.cancel(held)
    elif ending is Ending.SHUTDOWN:
        lease.give_back(held)
    elif status == exits.PARTED:
        lease.retry_or_fail(held, PARTED + _last_words(log))
    elif status == exits.AWAY:
        lease.retry_or_fail(held, AWAY + _last_words(log))
    elif status < 0 or status == exits.STOPPED:
        lease.retry_or_fail(held, _death(-status) + _last_words(log))
    else:
        lease.fail(held, f"The trainer ended with status {status} and did not say why." + _last_words(log))


PARTED = (
    f"Another machine that trains this run did not come, or went away, in each of the last {MAX_ATTEMPTS} attempts, none of which got "
    "further. Look at `tiebreak worker node` on each of them."
)
AWAY = (
    f"The database did not answer the trainer in each of the last {MAX_ATTEMPTS} attempts, none of which got further. Look whether it is "
    "there, and whether something holds the rows of runs for long, as a dump or a repair by hand does."
)


def _death(number: int) -> str:
    attempts = f"in each of the last {MAX_ATTEMPTS} attempts, none of which got further"
    if number == signal.SIGKILL:
        return (
            f"The trainer was killed {attempts}. Often that means that the machine has no memory "
            "left: fewer groups_per_step, a smaller max_length or a smaller model need less."
        )
    name = signal.Signals(number).name if number > 0 else "a request to stop"
    return f"The trainer was ended by {name} {attempts}."


def _last_words(log: Path) -> str:
    """The end of its log, for a person who must find out why."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        if lines:
            return "\n\nThe end of its log:\n" + "\n".join(lines)
    return ""
