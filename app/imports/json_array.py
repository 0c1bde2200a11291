"""The elements of one JSON array, taken apart as it comes in: only one of them is in memory at a time.

Brackets and commas are counted outside strings; whether an element is JSON is then for the parser to say. So a bad
element is named and the ones after it are still read, unless it leaves a string or a bracket open.
"""

import io
import re
from collections.abc import Iterator

from app.imports.found import LONGEST_RECORD_BYTES, Found
from app.imports.json_lines import TOO_LONG, parsed

_OUTSIDE = re.compile(rb'["\[\]{},]')
_INSIDE = re.compile(rb'["\\]')


class _Scanner:
    """Counts over the borders of chunks. `depth` is 1 between elements and 0 before and after the array."""

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self.is_escaped = False

    def borders(self, chunk: bytes) -> Iterator[int]:
        """Positions of the array's own brackets and of the commas between its elements."""
        at = 1 if self.is_escaped else 0
        self.is_escaped = False
        while found := (_INSIDE if self.in_string else _OUTSIDE).search(chunk, at):
            at = found.end()
            sign = found.group()
            if sign == b"\\":
                self.is_escaped = at == len(chunk)
                at += 1
            elif sign == b'"':
                self.in_string = not self.in_string
            elif self._is_border(sign):
                yield found.start()

    def _is_border(self, sign: bytes) -> bool:
        before = self.depth
        self.depth += 1 if sign in b"[{" else -1 if sign in b"]}" else 0
        return min(before, self.depth) == 0 or (sign == b"," and before == 1)


class _Element:
    """The bytes since the last border."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.is_too_long = False
        self.line = 1
        self.number = 0

    def add(self, part: bytes) -> None:
        if self.is_too_long or len(self.raw) + len(part) > LONGEST_RECORD_BYTES:
            self.is_too_long = True
            self.line += self.raw.count(b"\n") + part.count(b"\n")
            self.raw.clear()
        else:
            self.raw += part

    def ended(self) -> Iterator[Found]:
        """What it was, unless it is blank; then the next one begins."""
        words = self.raw.strip()
        if words or self.is_too_long:
            self.number += 1
            line = self.line + self.raw[: self.raw.find(words[:1])].count(b"\n")
            if self.is_too_long:
                yield Found(line, problem=TOO_LONG, element=self.number)
            else:
                yield parsed(words, line, self.number)
        self.line += self.raw.count(b"\n")
        self.raw.clear()
        self.is_too_long = False


def array_elements(stream: io.BufferedReader) -> Iterator[Found]:
    """Every element with its line and number. The stream begins with the array's opening bracket."""
    scanner, element = _Scanner(), _Element()
    while chunk := stream.read1(1 << 16):
        start = 0
        for border in scanner.borders(chunk):
            element.add(chunk[start:border])
            start = border + 1
            yield from element.ended()
            if scanner.depth == 0:
                yield from _after(chunk[start:], stream, element.line)
                return
        element.add(chunk[start:])
    yield Found(element.line, problem="the file ends before this record or before the array does: its “]” is missing")


def _after(rest: bytes, stream: io.BufferedReader, line: int) -> Iterator[Found]:
    while rest:
        if rest.strip():
            yield Found(line, problem="the array ends here; what comes after its “]” was not read")
            break
        rest = stream.read1(1 << 16)
    while stream.read1(1 << 16):
        pass
