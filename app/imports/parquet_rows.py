"""Records from Parquet: a row is a record, its columns are the record's keys."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from app.errors import BadInput
from app.imports.found import Found
from app.imports.unpacking import too_large
from app.language import gettext

_ROWS_AT_ONCE = 50
_UNREADABLE = (ValueError, OverflowError, pa.ArrowException)
_MEANT = {"responses", "chosen", "rejected"}


def parquet_rows(stream: io.BufferedReader, limit_bytes: int) -> Iterator[Found]:
    """Raises BadInput for a file that is damaged or has none of the columns, TooLarge for one that unpacks to too much."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the generator; Parquet is read from its end
    try:
        shutil.copyfileobj(stream, file)
        table = _opened(file)
        _check(table, limit_bytes)
    except BaseException:
        file.close()
        raise
    return _rows(file, table, limit_bytes)


def _opened(file: BinaryIO) -> Any:
    try:
        return pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise BadInput(
            gettext(
                "the Parquet file is damaged or cut off; send it again, nothing was stored (%(problem)s)",
                problem=problem,
            )
        ) from None


def _check(table: Any, limit_bytes: int) -> None:
    unpacked_bytes = sum(
        table.metadata.row_group(place).total_byte_size for place in range(table.metadata.num_row_groups)
    )
    if unpacked_bytes > limit_bytes:
        raise too_large(limit_bytes)
    names = set(table.schema_arrow.names)
    if not names & _MEANT:
        raise BadInput(
            gettext(
                "the Parquet file needs the columns prompt and responses, or prompt, chosen and rejected; it has %(names)s",
                names=", ".join(sorted(names)[:20]) or "–",
            )
        )


def _rows_at_once(table: Any, limit_bytes: int) -> int:
    """So many that a batch stays below the limit, also where every row names the one large value of a dictionary.

    Such a file is small, packed and unpacked, and its rows are not.
    """
    groups = (table.metadata.row_group(place).total_byte_size for place in range(table.metadata.num_row_groups))
    return int(min(_ROWS_AT_ONCE, max(1, limit_bytes // max(1, max(groups, default=0)))))


def _rows(file: BinaryIO, table: Any, limit_bytes: int) -> Iterator[Found]:
    number, seen_bytes = 0, 0
    with file:
        try:
            for batch in table.iter_batches(batch_size=_rows_at_once(table, limit_bytes), use_threads=False):
                seen_bytes += batch.nbytes
                if seen_bytes > limit_bytes:
                    raise too_large(limit_bytes)
                for found in _found(batch, number):
                    number = found.line
                    yield found
        except (pa.ArrowException, OSError) as problem:
            raise BadInput(
                gettext(
                    "the Parquet file is damaged after row %(n)s; send it again, nothing was stored (%(problem)s)",
                    n=number,
                    problem=problem,
                )
            ) from None


def _found(batch: Any, before: int) -> Iterator[Found]:
    """The rows of a batch. One with a value that Python cannot hold is named, and the others are read all the same."""
    try:
        rows = batch.to_pylist()
    except _UNREADABLE:
        rows = [_alone(batch.slice(place, 1)) for place in range(batch.num_rows)]
    for number, row in enumerate(rows, start=before + 1):
        if isinstance(row, str):
            yield Found(number, problem=row)
        else:
            try:
                yield Found(number, _plain(row))
            except _UNREADABLE as problem:
                yield Found(number, problem=_words(problem))


def _alone(row: Any) -> Any:
    try:
        return row.to_pylist()[0]
    except _UNREADABLE as problem:
        return _words(problem)


def _words(problem: Exception) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return gettext("not UTF-8; store text as UTF-8")
    return gettext("a value cannot be read: %(problem)s", problem=problem)


def _plain(value: Any) -> Any:
    """The value in JSON's own types."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta | UUID):
        return str(value)
    return value
