"""Files by name, on local disk or in S3: write beside, hash, rename; read with checksum.

A file's row is committed after the file is whole, so a row proves its file; a file without a row is litter, never a
half truth. Local disk is plain `os` calls because that is where fsync and rename can be said exactly; S3 is `obstore`,
whose upload becomes visible as a whole or not at all.

Names are relative, with forward slashes: `datasets/7/train.parquet`. Errors: `NotFound` for a name without a file,
`Corrupt` for bytes that do not have the SHA-256 they were stored with; `FAILURES` when the disk or S3 do not do as they are told, and
of these `NoRoom` for a disk that is full.
"""

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.errors import NotFound
from app.s3_words import HANDS_OUT_ANYTHING, words_of_s3
from app.settings import Settings, get_settings

CHUNK_BYTES = 1 << 20
LONGEST_PART_BYTES, LONGEST_NAME_BYTES = 255, 1024
FAILURES = (OSError, BaseError)
RIGHTS = "s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, a quota, a limit on the size of a file


class Corrupt(Exception):  # noqa: N818 -- says what the file is
    """The stored bytes are not the ones that were written: restore the file from a backup."""


class NoRoom(OSError):  # noqa: N818 -- says what there is none of
    """A disk is full. `strerror` says which one, what for, and how much that takes."""


@dataclass(frozen=True)
class Stored:
    """What a row keeps of a file: path below the row's prefix, size in bytes, SHA-256 in hexadecimal digits."""

    path: str
    size: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Storage(Protocol):
    def put(self, name: str, source: Path) -> None:
        """Copy a local file in under a name, replacing what was there, as one step that is seen whole or not at all."""

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes [start, end) in chunks. NotFound is raised here, before the first chunk."""

    def size(self, name: str) -> int: ...

    def delete_all(self, prefix: str) -> None: ...

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders directly below, those of `delete_all`; none where there is no such folder."""

    def reach(self) -> None:
        """Whether it is there at all, asked cheaply and not for long. Raises whatever says that it is not."""


class LocalDisk:
    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, source: Path) -> None:
        target = self.root / checked(name)
        room = room_for(name, source.stat().st_size, self.root)
        with room, source.open("rb") as data, written_beside(target) as out:
            shutil.copyfileobj(data, out, CHUNK_BYTES)
            out.flush()
            os.fsync(out.fileno())
        folder = os.open(target.parent, os.O_RDONLY)  # the rename itself must survive a power cut too
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        try:
            data = (self.root / checked(name)).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise missing(name) from None
        return _chunks(data, start, end)

    def size(self, name: str) -> int:
        path = self.root / checked(name)
        if not path.is_file():
            raise missing(name)
        return path.stat().st_size

    def delete_all(self, prefix: str) -> None:
        shutil.rmtree(self.root / checked(prefix), ignore_errors=True)

    def folders(self, prefix: str) -> list[str]:
        folder = self.root / checked(prefix)
        return sorted(f"{prefix}/{path.name}" for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def reach(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"{self.root} cannot be written by this user")


class S3:
    """`impatient` is the same bucket for whoever asks whether it is there: an answer that takes seconds is a no."""

    def __init__(self, store: S3Store, impatient: S3Store) -> None:
        self.store = store
        self.impatient = impatient

    def put(self, name: str, source: Path) -> None:
        obstore.put(self.store, checked(name), source)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        size = self.size(name)
        return self._ranges(checked(name), start, size if end is None else min(end, size))

    def _ranges(self, name: str, start: int, end: int) -> Iterator[bytes]:
        step = 8 * CHUNK_BYTES
        for at in range(start, end, step):
            yield bytes(obstore.get_range(self.store, name, start=at, end=min(at + step, end)))

    def size(self, name: str) -> int:
        try:
            return int(obstore.head(self.store, checked(name))["size"])
        except FileNotFoundError:
            raise missing(name) from None

    def delete_all(self, prefix: str) -> None:
        for batch in obstore.list(self.store, checked(prefix) + "/"):
            obstore.delete(self.store, [meta["path"] for meta in batch])

    def folders(self, prefix: str) -> list[str]:
        return sorted(obstore.list_with_delimiter(self.store, checked(prefix) + "/")["common_prefixes"])

    def reach(self) -> None:
        """By asking for what is not there: a web page has something to show, and no other server says so in S3's word."""
        try:
            obstore.get(self.impatient, "there-is-no-such-file")
        except FileNotFoundError as answer:
            if "<Code>NoSuchKey</Code>" not in str(answer):
                raise
        else:
            raise OSError(f"{self.store.config.get('endpoint', 'S3')} {HANDS_OUT_ANYTHING}")


def _chunks(data: Any, start: int, end: int | None) -> Iterator[bytes]:
    with data:
        data.seek(start)
        left = None if end is None else end - start
        while left is None or left > 0:
            chunk = data.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk


@contextmanager
def written_beside(target: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the target's name when it is whole, and leaves nothing behind when it never is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def room_for(what: str, n_bytes: int, folder: Path) -> Iterator[None]:
    """Something of that size is written into the folder. Raises NoRoom where its disk, or what one user may have of it, is full."""
    try:
        yield
    except Exception as problem:
        if not is_full(problem) or isinstance(problem, NoRoom):
            raise
        free = shutil.disk_usage(folder).free
        words = f"There is no room left on the disk of {folder}: {what} takes {n_bytes / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free."
        if free > n_bytes:
            words += " So a quota stands in the way, or a limit on the size of a file."
        raise NoRoom(errno.ENOSPC, words) from problem


def is_full(problem: BaseException) -> bool:
    """Whether there was no room for a file. Libraries written in Rust tell the system's number in words alone."""
    number = getattr(problem, "errno", None) or next(iter(re.findall(r"os error (\d+)", str(problem))), 0)
    return int(number) in FULL


def in_words(problem: BaseException) -> str:
    """What is wrong with the storage and how to mend it, for whoever runs this server, in one line."""
    said = str(problem).strip()
    place = get_settings().storage
    if place.startswith("s3://") and isinstance(problem, FAILURES):
        bucket = place.removeprefix("s3://").partition("/")[0]
        if words := words_of_s3(said, bucket=bucket, rights=RIGHTS):
            return f"{words} (STORAGE_URL, S3_ENDPOINT and the AWS_ variables say where and with which keys.)"
    return next(iter(said.splitlines()), type(problem).__name__)


def missing(name: str) -> NotFound:
    return NotFound(f"there is no file {name[:200]!r} in storage; restore it from a backup")


def checked(name: str) -> str:
    """The name, if it stays inside the storage. `..`, absolute names and odd characters are nobody's files, and no
    file has a longer name than disks (255 bytes a part) and S3 (1,024 in all) allow.
    """
    parts = PurePosixPath(name).parts
    lengths = [len(os.fsencode(part)) for part in parts]
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise missing(name)
    if max(lengths) > LONGEST_PART_BYTES or sum(lengths) + len(lengths) > LONGEST_NAME_BYTES:
        raise missing(name)
    return "/".join(parts)


def open_storage(settings: Settings) -> Storage:
    """`s3://bucket/prefix` takes its credentials from the usual AWS_* variables; anything else is a folder."""
    if not settings.storage.startswith("s3://"):
        return LocalDisk(Path(settings.storage).absolute())
    bucket, _, prefix = settings.storage.removeprefix("s3://").partition("/")
    options: dict[str, Any] = {"prefix": prefix or None}
    client: dict[str, Any] = {}
    if settings.s3_endpoint:
        options["endpoint"] = settings.s3_endpoint
        client["allow_http"] = settings.s3_endpoint.startswith("http://")
    patient = {**options, "client_options": client}
    quick = {**options, "client_options": {**client, "timeout": "3s"}, "retry_config": {"max_retries": 0}}
    return S3(S3Store(bucket, **patient), S3Store(bucket, **quick))


@lru_cache
def storage() -> Storage:
    return open_storage(get_settings())


def store_file(prefix: str, path: str, source: Path) -> Stored:
    """Hash a local file and put it under `prefix/path`."""
    stored = Stored(path=path, size=source.stat().st_size, sha256=sha256_of(source))
    storage().put(f"{prefix}/{path}", source)
    return stored


def fetch(prefix: str, stored: Stored, target: Path) -> None:
    """Copy a file out of storage under a local name, which appears only when its checksum was right."""
    name = f"{prefix}/{stored.path}"
    chunks = verified(storage().read(name), name, stored.sha256)
    with room_for(name, stored.size, target.parent), written_beside(target) as out:
        for chunk in chunks:
            out.write(chunk)


def verified(chunks: Iterator[bytes], name: str, sha256: str) -> Iterator[bytes]:
    """The same chunks, one behind: the last is only given out when all of them have this SHA-256. Raises Corrupt.

    So whoever copies a stream that is wrong gets a copy that is visibly too short, without anything being read twice.
    """
    digest, held = hashlib.sha256(), b""
    for chunk in chunks:
        if held:
            yield held
        digest.update(chunk)
        held = chunk
    if digest.hexdigest() != sha256:
        raise Corrupt(f"{name} does not have the SHA-256 it was stored with; restore it from a backup")
    yield held


def check(prefix: str, stored: Stored) -> None:
    """Read a file and forget it. Raises NotFound or Corrupt."""
    name = f"{prefix}/{stored.path}"
    for _ in verified(storage().read(name), name, stored.sha256):
        pass


def sha256_of(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
