"""Keeps children running: one that ends by itself is started again, later and later, and the console is told."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from app.embedded.processes import Child

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
CALM_AFTER_S = 60.0
LOOK_EVERY_S = 0.25


@dataclass
class _Post:
    """One child, and how it has fared."""

    child: Child
    started_at: float = field(default_factory=time.monotonic)
    pause_s: float = FIRST_PAUSE_S
    start_at: float | None = None

    def look(self) -> None:
        now = time.monotonic()
        if self.start_at is None and (status := self.child.status()) is not None:
            if now - self.started_at > CALM_AFTER_S:
                self.pause_s = FIRST_PAUSE_S
            self.start_at = now + self.pause_s
            say(f"{self.child.name} {_how(status)}; starting it again in {self.pause_s:.0f} s. See {self.child.log}")
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
        elif self.start_at is not None and now >= self.start_at:
            self.child.start()
            self.started_at, self.start_at = now, None


class Supervisor:
    """Of children that were started."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._posts = [_Post(child) for child in children]

    def watch(self) -> NoReturn:
        """Until a signal's handler raises."""
        while True:
            for post in self._posts:
                post.look()
            time.sleep(LOOK_EVERY_S)


def end_together(children: Sequence[Child], patience_s: float = 10) -> None:
    """All of these at once: asked together, waited for together."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + patience_s
    for child in children:
        child.end(max(0.0, deadline - time.monotonic()))


def say(line: str) -> None:
    """To the console, which may be gone by now: that must not keep anything from being stopped."""
    with suppress(OSError, ValueError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _how(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
