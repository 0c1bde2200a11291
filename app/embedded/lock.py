"""One Tiebreak per data folder: whoever holds the lock may start its servers.

The kernel frees the lock with its holder, however it ended, so no stale file needs to be explained to anybody. The
file says who holds it and where that one serves.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from app.errors import Mistake

NAME = "up.lock"
STARTING, RUNNING, STOPPING, COMMAND = "starting", "running", "stopping", "command"
PATIENCE_SECONDS = 30
BLINK_SECONDS = 0.5


class Lock:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def note(self, state: str, **facts: object) -> None:
        """Tell those who come later; `COMMAND` is the state of servers that run for one command."""
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "state": state, **facts}, self._file)
        self._file.flush()


@contextmanager
def data_folder_lock(home: Path) -> Iterator[Lock]:
    """Waits for one that will be gone soon; a running one is a Mistake.

    Somebody who asks whether one is `running` holds the lock for a blink, beside the words of one that may be long dead.
    """
    began = time.monotonic()
    with _open(home) as file:
        while not _take(file):
            holder = holder_of(home)
            patience = PATIENCE_SECONDS if holder.get("state") in {STOPPING, COMMAND} else BLINK_SECONDS
            if time.monotonic() - began > patience:
                raise Mistake(_already_running(home, holder))
            time.sleep(0.02)
        yield Lock(file)


def running(home: Path) -> dict[str, object] | None:
    """What the holder of the lock has noted; None when nobody holds it."""
    try:
        if not (home / NAME).exists():
            return None
        with _open(home) as file:
            return None if _take(file) else holder_of(home)
    except PermissionError as problem:
        raise Mistake(f"The data folder {home} belongs to another user of this machine: ask as that user.") from problem


def holder_of(home: Path) -> dict[str, object]:
    with suppress(OSError, ValueError):
        found = json.loads((home / NAME).read_text())
        if isinstance(found, dict):
            return found
    return {}


def _open(home: Path) -> IO[str]:
    """Mode 0600: it names the database's address, password and all, for the commands of whoever started it."""
    return open(home / NAME, "a+", opener=lambda path, flags: os.open(path, flags, 0o600))


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _already_running(home: Path, holder: dict[str, object]) -> str:
    who = f"process {holder.get('pid', 'unknown')}, {holder.get('address', 'no address yet')}"
    return (
        f"Tiebreak is already running with the data folder {home} ({who}). Use that one, stop it with Ctrl-C, or start a "
        "second one with a data folder and a port of its own: TIEBREAK_HOME=… PORT=… make run"
    )
