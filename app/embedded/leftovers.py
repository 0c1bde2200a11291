"""What an earlier start left behind: found without a list of process numbers, which other programs may have by now.

A supervisor that was killed takes its children with it (`tied.py`), and yet a child of a child may live on, and other
systems than Linux have no such tie. Everything that `up` starts carries the data folder in its environment under a
name of its own, and inherits it to what it starts; the two servers, which overwrite their environment with their
title, are known by their working folder. Whoever holds the lock on the data folder may end all of these.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "TIEBREAK_STARTED_FOR"
ROUNDS = 5


def end_leftovers(home: Path, patience_s: float = 5) -> int:
    """End the processes of an earlier start, and say how many there were."""
    return _end(lambda: list(_marked(str(home.absolute()))), patience_s)


def end_working_in(folder: Path, program: str, patience_s: float = 5) -> int:
    return _end(lambda: list(working_in(folder, program)), patience_s)


def working_in(folder: Path, program: str) -> Iterator[psutil.Process]:
    """Processes of that program, servers and their sessions alike, whose working folder this is."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name().startswith(program) and process.cwd() == str(folder):
                yield process


def _marked(home: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == home:
                yield process


def _end(find: Callable[[], list[psutil.Process]], patience_s: float) -> int:
    """Ask all, wait, and kill the rest; look again, for one may have started another meanwhile."""
    ended = 0
    for _ in range(ROUNDS):
        if not (found := find()):
            break
        for process in found:
            with suppress(psutil.Error):
                process.terminate()
        _, alive = psutil.wait_procs(found, timeout=patience_s)
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        ended += len(found)
    return ended
