"""Records from CSV: columns prompt, chosen, rejected or prompt, response_1, response_2 …, and any others.

`model_1`, `score_1` and `tier_1` go with `response_1`. Empty cells are values that are not there. The separator is the
one that the first line uses: comma, semicolon or tab.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from app.errors import BadInput
from app.imports.found import LONGEST_RECORD_BYTES, Found
from app.imports.transcripts import short
from app.language import gettext

_OF_RESPONSE = re.compile(r"(response|model|score|tier)_(\d{1,3})")
# how `surrogateescape` keeps a byte that is not UTF-8
_UNDECODED = re.compile("[\udc80-\udcff]")
_LONGEST_HEADER_BYTES = 1 << 16
_WHOLE_NUMBER = re.compile(r"-?\d{1,9}")
csv.field_size_limit(LONGEST_RECORD_BYTES)


def csv_rows(stream: io.BufferedReader) -> Iterator[Found]:
    first = stream.readline(_LONGEST_HEADER_BYTES)
    columns, separator = _header(first)
    return _rows(stream, columns, separator)


def _header(first: bytes) -> tuple[list[str], str]:
    """Column names and separator. Raises BadInput for what is not the head of such a table."""
    try:
        words = first.decode().strip()
        separator = max(",;\t", key=words.count)
        columns = [name.strip().lower() for name in next(csv.reader([words], delimiter=separator), [])]
    except UnicodeDecodeError:
        raise BadInput(gettext("the first line is not UTF-8; save the file as UTF-8")) from None
    except csv.Error:
        raise BadInput(
            gettext("the first line is not CSV; if its lines end with CR alone, as on old Macs, save it with LF")
        ) from None
    has_responses = {"chosen", "rejected"} <= set(columns) or {"response_1", "response_2"} <= set(columns)
    if not has_responses:
        raise BadInput(
            gettext(
                "this is none of NDJSON, a JSON array, Parquet or CSV with these columns on its first line: %(columns)s or %(others)s; it begins with %(words)s",
                columns="prompt, chosen, rejected",
                others="prompt, response_1, response_2, …",
                words=short(words),
            )
        )
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise BadInput(gettext("two columns are called “%(name)s”; rename one of them", name=doubled[0]))
    return columns, separator


class _Lines:
    """Lines of a stream as text, with their number. Bytes that are not UTF-8 stay recognisable."""

    def __init__(self, stream: io.BufferedReader, number: int) -> None:
        self.stream = stream
        self.number = number

    def __iter__(self) -> Iterator[str]:
        while raw := self.stream.readline(LONGEST_RECORD_BYTES):
            self.number += 1
            yield raw.decode(errors="surrogateescape")


def _rows(stream: io.BufferedReader, columns: Sequence[str], separator: str) -> Iterator[Found]:
    numbered = _Lines(stream, 1)
    reader = csv.reader(numbered, delimiter=separator, strict=True)
    while True:
        line = numbered.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as problem:
            words = gettext("not CSV: %(problem)s; this line and what comes after it was not read", problem=problem)
            yield Found(line, problem=words)
            break
        if cells is None:
            break
        if any(cells):
            yield _row(line, columns, cells)
    while stream.read1(1 << 16):
        pass


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Found:
    if len(cells) != len(columns):
        return Found(
            line,
            problem=gettext(
                "there are %(cells)s cells in this row, and %(columns)s columns on the first line",
                cells=len(cells),
                columns=len(columns),
            ),
        )
    if any(_UNDECODED.search(cell) for cell in cells):
        return Found(line, problem=gettext("not UTF-8; save the file as UTF-8"))
    return Found(line, _record(dict(zip(columns, cells, strict=True))))


def _record(row: dict[str, str]) -> dict[str, Any]:
    """The row in the shape of a JSON record."""
    record: dict[str, Any] = {}
    responses: dict[int, dict[str, Any]] = {}
    for column, cell in row.items():
        part = _OF_RESPONSE.fullmatch(column)
        if part is None:
            if cell or column in {"prompt", "chosen", "rejected"}:
                record[column] = cell
        elif cell:
            name, number = part.groups()
            responses.setdefault(int(number), {})["text" if name == "response" else name] = _value(name, cell)
    if responses:
        record["responses"] = [{"text": "", **responses.get(number, {})} for number in range(1, max(responses) + 1)]
    return record


def _value(name: str, cell: str) -> Any:
    """Numbers as numbers; what is none stays text, and the record is refused with its name."""
    if name == "tier" and _WHOLE_NUMBER.fullmatch(cell.strip()):
        return int(cell)
    if name == "score":
        try:
            return float(cell)
        except ValueError:
            return cell
    return cell
