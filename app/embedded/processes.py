"""A child process: started tied to us, with its output in a log file, and ended with everything that it started."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded.account import Account
from app.tied import tied

LOG_KEPT_BYTES = 10_000_000


@dataclass
class Child:
    """One program in a session of its own, so that the terminal's Ctrl-C reaches us alone and we choose the order.

    `stop_with` is the signal that asks it to end well. It is also sent by the kernel should we die.
    """

    name: str
    command: Sequence[str]
    log: Path
    stop_with: signal.Signals = signal.SIGTERM
    account: Account | None = None
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    before_start: Callable[[], object] | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        if self.before_start is not None:
            self.before_start()
        _make_room(self.log)
        account = f"{self.account.uid}:{self.account.gid}" if self.account else "-"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- the command comes from our own code
                [*tied(self.stop_with, account), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    def status(self) -> int | None:
        """None while it runs; otherwise what it exited with, or minus the signal that ended it.

        What it had started goes with it: a worker of a web server that was killed would keep the port. That is done
        before its end is acknowledged, while its number cannot yet belong to any other program.
        """
        if self._process is None:
            return 0
        if self._process.returncode is None and _has_ended(self._process.pid):
            self._kill_group()
        return self._process.poll()

    def ask_to_stop(self) -> None:
        if self.status() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, self.stop_with)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within that time."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, patience_s: float = 10) -> None:
        """Ask, wait, and then make sure; an interrupted wait makes sure at once."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self.wait(patience_s)
        finally:
            if self.status() is None:
                self._kill_group()
                self._process.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, for a person who must find out why it did not start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 8000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def _has_ended(pid: int) -> bool:
    """Without acknowledging it, where the system can tell and nobody else has acknowledged it."""
    if sys.platform == "darwin":
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _make_room(log: Path) -> None:
    """One earlier log is kept; a log does not grow for ever on a machine that is restarted now and then."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
        log.replace(log.with_suffix(".log.1"))
