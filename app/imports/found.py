from dataclasses import dataclass
from typing import Any

LONGEST_RECORD_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a file, or what kept it from being read.

    `line` is where it begins, counted from 1; a row in Parquet. Several elements of a JSON array may share a line, so
    they also have their number in the array.
    """

    line: int
    value: Any = None
    problem: str | None = None
    element: int | None = None
