"""What differs between two versions of a dataset, group by group.

Both versions are read as streams and walked side by side in the order in which groups are written (by prompt, then by item),
so that neither has to fit into memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson

from app.datasets.split import SIDES, Side

Place = tuple[str, int]
# A group's place in the order, its side, and all that was said about it.
Said = tuple[Place, Side, tuple[Any, ...]]


@dataclass
class Changes:
    """Groups of the newer version against the older one. `to_test` and `to_train` changed sides."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    to_test: int = 0
    to_train: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


def groups(lines: dict[Side, Iterable[bytes]]) -> Iterator[Said]:
    """The groups of both sides in one order, each with all its rows."""
    rows = merge(*(_rows(side, lines[side]) for side in SIDES), key=itemgetter(0))
    for place, same in groupby(rows, key=itemgetter(0)):
        found = list(same)
        yield place, found[0][1], tuple(said for _, _, said in found)


def _rows(side: Side, lines: Iterable[bytes]) -> Iterator[tuple[Place, Side, tuple[Any, ...]]]:
    for line in lines:
        row = orjson.loads(line)
        said = (row["judgment"], row["outcome"], orjson.dumps([row["tiers"], row["margin"], row["weight"]]))
        yield (row["prompt_hash"], row["group"]), side, said


def changes(old: Iterator[Said], new: Iterator[Said]) -> Changes:
    found = Changes()
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before[0] < after[0]):
            found.removed += 1
            before = next(old, None)
        elif before is None or after[0] < before[0]:
            found.added += 1
            after = next(new, None)
        else:
            found.changed += before[2] != after[2]
            found.to_test += (before[1], after[1]) == ("train", "test")
            found.to_train += (before[1], after[1]) == ("test", "train")
            before, after = next(old, None), next(new, None)
    return found


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in chunks."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
