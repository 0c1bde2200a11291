"""Records from JSON text, one to a line."""

import io
from collections.abc import Iterator

import orjson

from app.imports.found import LONGEST_RECORD_BYTES, Found

TOO_LONG = f"the record is longer than {LONGEST_RECORD_BYTES >> 20} MiB; split it up"


def lines(stream: io.BufferedReader) -> Iterator[Found]:
    """NDJSON. Blank lines are passed over, and a file that is one object over many lines is that one record."""
    number = 0
    while raw := stream.readline(LONGEST_RECORD_BYTES + 1):
        number += 1
        if len(raw) > LONGEST_RECORD_BYTES:
            yield Found(number, problem=TOO_LONG)
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
        return Found(1, problem="the first object does not end on its line; put each record on a line of its own")
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
        return f"not UTF-8 at column {column}; save the file as UTF-8"
    if "depth" in problem.msg:
        return "not readable: lists and objects are nested too deeply"
    place = f"column {problem.colno}" if problem.lineno == 1 else f"line {problem.lineno} of the record"
    return f"not JSON: {problem.msg}, at {place}"
