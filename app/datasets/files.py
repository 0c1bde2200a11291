"""The files of a dataset: `train` and `test`, each as JSONL and as Parquet. The same rows always make the same bytes.

One row is one judged group; other shapes (`shapes.py`) are folders beside them. Rows are written as they come, a thousand in
memory at a time. Nothing in the files depends on the clock or the machine: keys are in a fixed order, Parquet has fixed options
and row groups of a fixed number of rows.

The dataset's SHA-256 is that of the lines `<sha256>  <path>` sorted by path, as `sha256sum` prints them: whoever has the
files can work it out with `find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum`.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.datasets.order import Shape
from app.datasets.row import Row, judged
from app.datasets.shapes import MAKERS, SCHEMAS
from app.datasets.split import SIDES, Side
from app.preference import tuples
from app.storage import Stored

ROWS_AT_A_TIME = 1000


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
        ("judgments", pa.int32()),
        ("agreement", pa.float64()),
        ("annotator", pa.string()),
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
        self.tuples += sum(1 for _ in tuples(judged(row)))


class _Table:
    """Records as JSONL and as Parquet, side by side."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema, opened: ExitStack) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        self.schema = schema
        self._lines: BinaryIO = opened.enter_context(path.with_suffix(".jsonl").open("wb"))
        self._table: Any = opened.enter_context(
            pq.ParquetWriter(path.with_suffix(".parquet"), schema, compression="zstd", version="2.6")
        )
        self._waiting: list[Mapping[str, Any]] = []

    def add(self, record: Mapping[str, Any]) -> None:
        self._lines.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        self._waiting.append(record)
        if len(self._waiting) == ROWS_AT_A_TIME:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._table.write_table(pa.Table.from_pylist(self._waiting, schema=self.schema))
            self._waiting.clear()


class _Shaped:
    """One side in one of the other shapes. Prompts, which are the same from row to row, are written once."""

    def __init__(self, shape: Shape, table: _Table) -> None:
        self._make = MAKERS[shape]
        self._each_once = shape == "prompts"
        self._last: Mapping[str, Any] | None = None
        self.table = table

    def add(self, row: Row) -> None:
        for record in self._make(row):
            if not (self._each_once and record == self._last):
                self.table.add(record)
            self._last = record


def write_files(
    folder: Path, rows: Iterable[tuple[Side, Row]], shapes: Collection[Shape] = ()
) -> Mapping[Side, Counts]:
    """Write the files into an empty folder; returns what is in them. An empty side has files without rows.

    The groups are at the top, every other shape in a folder of its own.
    """
    counts = {side: Counts() for side in SIDES}
    with ExitStack() as opened:
        groups = {side: _Table(folder, side, _SCHEMA, opened) for side in SIDES}
        shaped = {
            side: [
                _Shaped(shape, _Table(folder, f"{shape}/{side}", SCHEMAS[shape], opened))
                for shape in MAKERS
                if shape in shapes
            ]
            for side in SIDES
        }
        for side, row in rows:
            counts[side].add(row)
            groups[side].add(row)
            for other in shaped[side]:
                other.add(row)
        for side in SIDES:
            for table in (groups[side], *(other.table for other in shaped[side])):
                table.flush()
    return counts


def write_log(folder: Path, judgments: Iterable[Mapping[str, Any]]) -> None:
    with ExitStack() as opened:
        table = _Table(folder, "log/judgments", SCHEMAS["log"], opened)
        for judgment in judgments:
            table.add(judgment)
        table.flush()


def sha256_of_all(files: Iterable[Stored]) -> str:
    lines = (f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda file: file.path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
