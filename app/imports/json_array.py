"""The elements of one JSON array, taken apart as it comes in: only one of them is in memory at a time.

Brackets and commas are counted outside strings; whether an element is JSON is then for the parser to say. So a bad
element is named and the ones after it are still read, unless it leaves a string or a bracket open.
"""

import io
import re
from collections.abc import Iterator

from app.imports.found import LONGEST_RECORD_BYTES, Found
from app.imports.json_lines import parsed, too_long
from app.language import gettext

# What may be passed over: whole strings and everything else that opens or closes nothing. Runs of bytes are possessive, so
# nothing is tried twice; groups are not, which Python before 3.11.5 gets wrong. Between elements a comma counts too.
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*', re.DOTALL)
_STRING = b'"' + _REST_OF_STRING.pattern + b'"'
_WITHIN = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*", re.DOTALL)
_BETWEEN = re.compile(rb'(?:[^"\[\]{},]++|' + _STRING + rb")*", re.DOTALL)
_OPENING, _CLOSING, _QUOTE, _BACKSLASH, _COMMA = b"[{", b"]}", ord('"'), ord("\\"), ord(",")


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
        while (at := self._after_what_counts_nothing(chunk, at)) < len(chunk):
            sign = chunk[at]
            if self.in_string:
                self.is_escaped = sign == _BACKSLASH  # the last byte of the chunk; the next one is the escaped sign
                self.in_string = self.is_escaped
            elif sign == _QUOTE:
                self.in_string = True
            elif self._is_border(sign):
                yield at
            at += 1

    def _after_what_counts_nothing(self, chunk: bytes, at: int) -> int:
        passed = _REST_OF_STRING if self.in_string else _WITHIN if self.depth > 1 else _BETWEEN
        found = passed.match(chunk, at)
        return found.end() if found else at

    def _is_border(self, sign: int) -> bool:
        before = self.depth
        self.depth += (sign in _OPENING) - (sign in _CLOSING)
        return min(before, self.depth) == 0 or (sign == _COMMA and before == 1)


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
                yield Found(line, problem=too_long(), element=self.number)
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
    yield Found(
        element.line, problem=gettext("the file ends before this record or before the array does: its “]” is missing")
    )


def _after(rest: bytes, stream: io.BufferedReader, line: int) -> Iterator[Found]:
    while rest:
        if rest.strip():
            yield Found(line, problem=gettext("the array ends here; what comes after its “]” was not read"))
            break
        rest = stream.read1(1 << 16)
    while stream.read1(1 << 16):
        pass
