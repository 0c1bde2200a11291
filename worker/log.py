"""A trainer's log on a disk that is full: lines of it are lost, and the run goes on, to say in its row what is wrong if anything is."""

import io
import sys
from contextlib import suppress


class Forgiving(io.TextIOWrapper):
    """What cannot be written is forgotten."""

    def write(self, words: str, /) -> int:
        with suppress(OSError):
            super().write(words)
        return len(words)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def let_it_lose_lines() -> None:
    """Whatever is printed from here on."""
    for name in ("stdout", "stderr"):
        before = getattr(sys, name)
        encoding, errors = before.encoding, before.errors
        setattr(sys, name, Forgiving(before.detach(), encoding, errors, write_through=True))
