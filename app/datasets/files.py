"""The files of a dataset: `train` and `test`, each as JSONL and as Parquet. The same rows always make the same bytes.

One row is one judged group. Rows are written as they come, a thousand in memory at a time. Nothing in the files depends
on the clock or the machine: keys in a fixed order, Parquet with fixed options and row groups of a fixed number of rows.

The dataset's SHA-256 is that of the lines `<sha256>  <path>` sorted by path, as `sha256sum` prints them: whoever has the
files can work it out with `sha256sum test.* train.* | sha256sum`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.datasets.split import SIDES, Side
from app.preference import tuples
from app.storage import Stored

ROWS_AT_A_TIME = 1000


class Row(TypedDict):
    """`tiers`, `scores` and `models` are aligned with `responses`; tier 1 is best, None was not judged. `group` is the item.

    `margin` is the strength of the choice, from 1 to 3, where it was asked for. `scores` are those that the responses were
    imported with. `weight` is what the judgment counts in training: one divided among all judgments of its item that are in
    the dataset. Were each to count as one, the items that were judged again because people disagreed would outweigh the rest.
    """

    group: int
    judgment: int
    prompt: list[dict[str, str]]
    responses: list[str]
    tiers: list[int | None]
    outcome: str
    margin: float | None
    weight: float
    judge_kind: str
    scores: list[float | None]
    models: list[str | None]
    metadata: str
    prompt_hash: str


_SCHEMA = pa.schema(
    [
        ("group", pa.int64()),
        ("judgment", pa.int64()),
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("responses", pa.list_(pa.string())),
        ("tiers", pa.list_(pa.int32())),
        ("outcome", pa.string()),
        ("margin", pa.float64()),
        ("weight", pa.float64()),
        ("judge_kind", pa.string()),
        ("scores", pa.list_(pa.float64())),
        ("models", pa.list_(pa.string())),
        ("metadata", pa.string()),
        ("prompt_hash", pa.string()),
    ]
)


@dataclass
class Counts:
    groups: int = 0
    tuples: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        self.groups += 1
        self.outcomes[row["outcome"]] = self.outcomes.get(row["outcome"], 0) + 1
        tiers = {place: tier for place, tier in enumerate(row["tiers"]) if tier is not None}
        self.tuples += sum(1 for _ in tuples(tiers))


class _Part:
    """One side of the split, in both formats."""

    def __init__(self, folder: Path, side: Side, opened: ExitStack) -> None:
        self.counts = Counts()
        self._lines: BinaryIO = opened.enter_context((folder / f"{side}.jsonl").open("wb"))
        self._table: Any = opened.enter_context(
            pq.ParquetWriter(folder / f"{side}.parquet", _SCHEMA, compression="zstd", version="2.6")
        )
        self._waiting: list[Row] = []

    def add(self, row: Row) -> None:
        self.counts.add(row)
        self._lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self._waiting.append(row)
        if len(self._waiting) == ROWS_AT_A_TIME:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._table.write_table(pa.Table.from_pylist(self._waiting, schema=_SCHEMA))
            self._waiting.clear()


def write_files(folder: Path, rows: Iterable[tuple[Side, Row]]) -> Mapping[Side, Counts]:
    """Write the four files into an empty folder; returns what is in them. An empty side has files without rows."""
    with ExitStack() as opened:
        parts = {side: _Part(folder, side, opened) for side in SIDES}
        for side, row in rows:
            parts[side].add(row)
        for part in parts.values():
            part.flush()
    return {side: part.counts for side, part in parts.items()}


def sha256_of_all(files: Iterable[Stored]) -> str:
    lines = (f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda file: file.path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
