"""Records from JSON text, one to a line."""

import io
from collections.abc import Iterator

import orjson

from app.imports.found import LONGEST_RECORD_BYTES, Found
from app.language import gettext


def too_long() -> str:
    return gettext("the record is longer than %(n)s MiB; split it up", n=LONGEST_RECORD_BYTES >> 20)


def lines(stream: io.BufferedReader) -> Iterator[Found]:
    """NDJSON. Blank lines are passed over, and a file that is one object over many lines is that one record."""
    number = 0
    while raw := stream.readline(LONGEST_RECORD_BYTES + 1):
        number += 1
        if len(raw) > LONGEST_RECORD_BYTES:
            yield Found(number, problem=too_long())
            _pass_over_line(stream, raw)
        elif number == 1 and raw.strip() == b"{":
            yield _whole_file(stream, raw)
        elif raw.strip():
            yield parsed(raw.rstrip(), number)  # what is wrong at its end is still on its line


def _pass_over_line(stream: io.BufferedReader, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(1 << 16)


def _whole_file(stream: io.BufferedReader, first_line: bytes) -> Found:
    raw = first_line + stream.read(LONGEST_RECORD_BYTES)
    if len(raw) > LONGEST_RECORD_BYTES:
        while stream.read(1 << 16):
            pass
        problem = gettext("the first object does not end on its line; put each record on a line of its own")
        return Found(1, problem=problem)
    return parsed(raw, 1)


def parsed(raw: bytes | bytearray, line: int, element: int | None = None) -> Found:
    try:
        return Found(line, orjson.loads(raw), element=element)
    except orjson.JSONDecodeError as problem:
        return Found(line, problem=_words(bytes(raw), problem), element=element)


def _words(raw: bytes, problem: orjson.JSONDecodeError) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as found:
        column = len(raw[: found.start].rpartition(b"\n")[2].decode()) + 1
        return gettext("not UTF-8 at column %(n)s; save the file as UTF-8", n=column)
    if "depth" in problem.msg:
        return gettext("not readable: lists and objects are nested too deeply")
    if problem.lineno == 1:
        return gettext("not JSON: %(problem)s, at column %(n)s", problem=problem.msg, n=problem.colno)
    return gettext("not JSON: %(problem)s, at line %(n)s of the record", problem=problem.msg, n=problem.lineno)
