"""Who sends the bytes of a stored file: this server itself, nginx in front of it, or S3.

    SEND_FILES=self    read in portions of a megabyte by a few threads that do nothing else, whatever the size of the file:
                       however many download, the threads that answer requests stay free, and memory stays flat
    SEND_FILES=nginx   an answer without a body and with `X-Accel-Redirect: /_storage/<name>`: nginx sends the file from the
                       storage folder, ranges included (docs/hub.md has its configuration)
    SEND_FILES=s3      302 to a link that S3 has signed for an hour, so that the bytes never come through here

Who may have the file is decided before, here, in all three. Only the first looks at the bytes: a whole file is hashed on its
way, and one that is not what was stored breaks off before its end, so nobody takes it for the right one. Hashing takes more
than sending does, so a process does it once for a file that has not been touched since.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO
from urllib.parse import quote

import anyio
import obstore
from anyio import to_thread
from anyio.lowlevel import RunVar
from cachetools import LRUCache
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from app.settings import get_settings
from app.storage import S3, Corrupt, LocalDisk, Storage, checked, missing, storage, verified

PORTION_BYTES = 1 << 20
READERS = 4
LINK_LASTS = timedelta(hours=1)
INTERNAL = "/_storage/"


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes [start, end) of a stored file; `sha256` if that is the whole file: a part cannot be verified."""

    name: str
    start: int
    end: int
    sha256: str | None


def send(part: Part, *, status: int, headers: Mapping[str, str], media_type: str) -> Response:
    """An answer with these bytes, whoever sends them. Raises NotFound."""
    store, sender = storage(), get_settings().send_files
    if sender == "s3" and isinstance(store, S3):
        link = obstore.sign(store.store, "GET", checked(part.name), expires_in=LINK_LASTS)
        kept = {key: value for key, value in headers.items() if key.startswith("X-")}
        return RedirectResponse(link, status_code=302, headers={**kept, "Cache-Control": "private, no-store"})
    if sender == "nginx" and isinstance(store, LocalDisk):
        store.size(part.name)  # nginx's own answer to a missing file would say less
        left_to_it = {key: value for key, value in headers.items() if key not in {"Content-Length", "Content-Range"}}
        left_to_it["X-Accel-Redirect"] = INTERNAL + quote(checked(part.name))
        return Response(headers=left_to_it, media_type=media_type)
    body = _portions(_opened(store, part.name), part) if isinstance(store, LocalDisk) else _read(store, part)
    return StreamingResponse(body, status_code=status, headers=headers, media_type=media_type)


def _read(store: Storage, part: Part) -> Iterator[bytes]:
    chunks = store.read(part.name, part.start, part.end)
    return chunks if part.sha256 is None else verified(chunks, part.name, part.sha256)


def _opened(store: LocalDisk, name: str) -> BinaryIO:
    try:
        return (store.root / checked(name)).open("rb", buffering=0)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise missing(name) from None


async def _portions(data: BinaryIO, part: Part) -> AsyncIterator[bytes]:
    """The next portion is read while the last one is on its way, since a server takes one before it is sent.

    As `storage.verified`, one portion behind, so that a file that is wrong is visibly too short.
    """
    digest, held, at = hashlib.sha256(), b"", part.start
    found_as = _looks(data, part)
    is_hashed = part.sha256 is not None and found_as not in _seen_right

    def portion() -> bytes:
        """The next one, hashed by the thread that reads it."""
        found = os.pread(data.fileno(), min(PORTION_BYTES, part.end - at), at)
        if is_hashed:
            digest.update(found)
        return found

    with data:
        while at < part.end and (found := await to_thread.run_sync(portion, limiter=_readers())):
            if held:
                yield held
            at, held = at + len(found), found
    if at < part.end or (is_hashed and digest.hexdigest() != part.sha256):
        raise Corrupt(f"{part.name} is not what was stored; restore it from a backup")
    if is_hashed:
        _seen_right[found_as] = True
    yield held


# Files whose bytes were the right ones when this process last sent them whole, as they looked then.
_seen_right: LRUCache[tuple[object, ...], bool] = LRUCache(10_000)


def _looks(data: BinaryIO, part: Part) -> tuple[object, ...]:
    told = os.fstat(data.fileno())
    return part.name, part.sha256, told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns


_limiter: RunVar[anyio.CapacityLimiter] = RunVar("readers")


def _readers() -> anyio.CapacityLimiter:
    """One for each event loop, made within it."""
    try:
        return _limiter.get()
    except LookupError:
        _limiter.set(made := anyio.CapacityLimiter(READERS))
        return made
