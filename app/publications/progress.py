"""What is seen of a publication while it goes on, and what it is told: one thread beside the one that sends.

Every two seconds it renews the lease and writes down how far the files are. From the answer it knows whether somebody wants
the end, or another attempt has the row. The sender hears of it at its next read (`Stopped`). One that hangs in something that
reads nothing, a server that never answers, is not waited for: the row is written and the process ends.
"""

import logging
import os
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from app.publications import leases

EVERY_S = 2.0
PATIENCE_S = 20.0
STANDSTILL_S = 600.0
NO_ANSWER = "The other side has not taken or said anything for ten minutes."
_log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818 -- no error: somebody wants it
    """Another attempt has the row, somebody has cancelled it, or this process is asked to leave."""


class Progress:
    """Counted by the sender, told by the thread. `stop` is why the sender must stop: lost, cancelled or leaving."""

    def __init__(self, publication_id: int, fence: int, *, leave: Callable[[int], object] = os._exit) -> None:
        self.publication_id = publication_id
        self.fence = fence
        self.stop = ""
        self._leave = leave
        self._files = self._whole_bytes = self._part_bytes = 0
        self._doing = ""
        self._moved_at = time.monotonic()
        self._stopped_at: float | None = None
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.tell()

    def take_up(self, path: str) -> None:
        self._doing, self._part_bytes = path, 0
        self.move()

    def move(self, part_bytes: int | None = None) -> None:
        """Something was read, and so many bytes of the file in hand were taken. Raises Stopped."""
        if self.stop:
            raise Stopped
        self._moved_at = time.monotonic()
        if part_bytes is not None:
            self._part_bytes = part_bytes

    def done(self, n_bytes: int) -> None:
        """The file in hand is there now, or was before."""
        self._files, self._whole_bytes = self._files + 1, self._whole_bytes + n_bytes
        self.take_up("")

    def ask_to_stop(self, why: str) -> None:
        self.stop = self.stop or why

    def tell(self) -> None:
        if self.stop == "lost":
            return
        seen = {"done_files": self._files, "done_bytes": self._whole_bytes + self._part_bytes, "doing": self._doing}
        told = leases.hold(self.publication_id, self.fence, **seen)
        if not told.is_mine:
            self.ask_to_stop("lost")
        elif told.is_cancelled:
            self.ask_to_stop("cancelled")

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            try:
                self.tell()
            except SQLAlchemyError as problem:  # it is tried again; a lease that ends meanwhile is another one's
                _log.warning(
                    "publication %s: the row cannot be reached: %s", self.publication_id, type(problem).__name__
                )
            self._see_to_the_end(time.monotonic())

    def _see_to_the_end(self, now: float) -> None:
        """For a sender that does not come back by itself."""
        if self.stop and self._stopped_at is None:
            self._stopped_at = now
        if self._stopped_at is not None and now - self._stopped_at > PATIENCE_S:
            if self.stop != "lost":
                leases.give_back(self.publication_id, self.fence)
            self._leave(0)
        elif not self.stop and now - self._moved_at > STANDSTILL_S:
            leases.put_off(self.publication_id, self.fence, NO_ANSWER)
            self._leave(0)
