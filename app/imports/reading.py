"""A file as a stream of records, each with its line, in constant memory.

NDJSON, a JSON array, CSV (or with tabs or semicolons), Parquet; each of them gzipped too. What the file begins with
decides; its declared type and its name count only between CSV and NDJSON, which may begin alike.
"""

import io
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from app.errors import BadInput
from app.imports.csv_rows import csv_rows
from app.imports.found import Found
from app.imports.json_array import array_elements
from app.imports.json_lines import lines
from app.imports.parquet_rows import parquet_rows
from app.imports.unpacking import unpacked
from app.language import gettext

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TABLE_TYPES = ("text/csv", "text/tab-separated-values", "application/csv", "application/vnd.ms-excel")
_TABLE_NAMES = (".csv", ".tsv")
_JSON_NAMES = (".jsonl", ".ndjson", ".json")


def records(file: BinaryIO, *, limit_bytes: int, media_type: str = "", name: str = "") -> Iterator[Found]:
    """What the file holds, one record after the other; a record that cannot be read is a problem in its place.

    Raises BadInput for a file that is none of the formats or is damaged as a whole, TooLarge beyond the limit.
    """
    stream = unpacked(file, limit_bytes)
    head = stream.peek(4)
    if head.startswith(_BOM):
        stream.read(len(_BOM))
        head = stream.peek(4)
    if not head:
        raise BadInput(gettext("the file is empty; send records as NDJSON, a JSON array, CSV or Parquet"))
    if head.startswith(b"PAR1"):
        return parquet_rows(stream, limit_bytes)
    if head.startswith(_UTF16):
        raise BadInput(gettext("the text is UTF-16; save it as UTF-8"))
    sign = _first_sign(stream)
    if sign == b"[":
        return array_elements(stream)
    if sign == b"{" or _says_json(media_type, name):
        return lines(stream)
    return csv_rows(stream)


def _first_sign(stream: io.BufferedReader) -> bytes:
    """The first byte that is no white space, in the part that is buffered anyway."""
    return stream.peek(4).lstrip()[:1]


def _says_json(media_type: str, name: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    suffixes = PurePath(name.lower().removesuffix(".gz")).suffixes[-1:]
    if kind in _TABLE_TYPES or suffixes in ([one] for one in _TABLE_NAMES):
        return False
    return "json" in kind or suffixes in ([one] for one in _JSON_NAMES)
