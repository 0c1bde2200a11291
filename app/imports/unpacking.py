"""The bytes of an upload: unpacked, measured, and never more of them in memory than a buffer holds."""

import gzip
import io
import zlib
from typing import BinaryIO

from app.errors import BadInput, TooLarge
from app.language import gettext, marked
from app.pages import number

GZIP = b"\x1f\x8b"
MOST_LAYERS = 2
_OTHER_PACKING = {
    b"PK\x03\x04": marked("this file is a zip archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    b"\x28\xb5\x2f\xfd": marked("this file is packed by zstd; unpack it or use gzip"),
    b"BZh": marked("this file is packed by bzip2; unpack it or use gzip"),
    b"\xfd7zXZ": marked("this file is packed by xz; unpack it or use gzip"),
}
_PACKED_AGAIN = {GZIP: marked("this file is packed by gzip again and again; unpack it")}


class Metered(io.RawIOBase):
    """A stream that counts what is read from it and raises TooLarge beyond a limit: a gzip bomb ends here.

    Damaged gzip data raises BadInput. It speaks for the whole file: what comes after the damage is not known, and a
    file that was cut off in transit is better sent again.
    """

    def __init__(self, source: BinaryIO | gzip.GzipFile, limit_bytes: int) -> None:
        self.source = source
        self.limit_bytes = limit_bytes
        self.seen_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's buffer has no length
        try:
            part = self.source.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
            raise BadInput(
                gettext(
                    "the gzip data is damaged or cut off after %(n)s bytes unpacked (%(problem)s); send the file again, nothing was stored",
                    n=number(self.seen_bytes),
                    problem=problem,
                )
            ) from None
        self.seen_bytes += len(part)
        if self.seen_bytes > self.limit_bytes:
            raise too_large(self.limit_bytes)
        buffer[: len(part)] = part
        return len(part)


def too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        gettext(
            "this is more than %(most)s MiB, unpacked; send it in several files, or raise UPLOAD_LIMIT_MB. Nothing was stored.",
            most=limit_bytes >> 20,
        )
    )


def unpacked(file: BinaryIO, limit_bytes: int) -> io.BufferedReader:
    """The file without its gzip layers, of which a compressed file sent with a compressed body has two."""
    stream: io.BufferedReader = io.BufferedReader(Metered(file, limit_bytes), 1 << 16)
    for _ in range(MOST_LAYERS):
        if stream.peek(2)[:2] != GZIP:
            break
        stream = io.BufferedReader(Metered(gzip.GzipFile(fileobj=stream), limit_bytes), 1 << 16)
    head = stream.peek(8)
    for magic, words in (_OTHER_PACKING | _PACKED_AGAIN).items():
        if head.startswith(magic):
            raise BadInput(gettext(words))
    return stream
