"""A file of our storage as others read files: from wherever it lies, piece by piece, with a place that can be moved.

Nothing is copied to disk or held in memory, from a bucket as little as from a folder. Senders read it twice: for its
checksum, by which the other side tells whether it has it already, and to send it.
"""

import io
from collections.abc import Iterator

from obstore.exceptions import BaseError

from app.errors import NotFound
from app.publications.outcome import Failure, Passing
from app.publications.progress import Progress
from app.storage import Storage, Stored


def chunks_of(store: Storage, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file here. What goes wrong on this side is said to be on this side: raises Failure, Passing."""
    try:
        yield from store.read(name, start, end)
    except NotFound:
        raise Failure(f"{name} is not in the storage of this place any more; restore it from a backup") from None
    except (BaseError, OSError) as problem:
        raise Passing(f"the storage of this place does not answer: {problem}") from problem


class StoredFile(io.BufferedIOBase):
    """`counting` is set once what is read is also sent. Each read may raise Stopped."""

    def __init__(self, store: Storage, prefix: str, stored: Stored, progress: Progress) -> None:
        self._store = store
        self._name = f"{prefix}/{stored.path}"
        self._size = stored.size
        self._progress = progress
        self._at = 0
        self._chunks: Iterator[bytes] | None = None
        self._left = memoryview(b"")
        self.counting = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if target != self._at:
            self._at, self._chunks, self._left = max(0, target), None, memoryview(b"")
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._size - self._at if size is None or size < 0 else size
        pieces = []
        while wanted > 0 and (piece := self._some(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        self._progress.move(self._at if self.counting else None)
        return b"".join(pieces)

    def read1(self, size: int = -1) -> bytes:
        return self.read(size)

    def _some(self, most: int) -> bytes:
        """At most so many bytes; none at the end."""
        if not self._left:
            if self._chunks is None:
                self._chunks = chunks_of(self._store, self._name, self._at, self._size)
            self._left = memoryview(next(self._chunks, b""))
        piece, self._left = bytes(self._left[:most]), self._left[most:]
        self._at += len(piece)
        return piece
