"""Stored files on their way here: whole or going on from a part, and checked against their SHA-256.

What is stored never changes, so a file that was cut off is asked for from where it broke (`Range`), by whoever read a part
of it and whenever that was. `name.partial` stands beside until the sum is right, and only then takes the name.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import httpx

from .connection import Connection
from .errors import ChecksumError, UnexpectedAnswerError
from .progress import Bar, shown

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """`path` is relative, with slashes; `size` in bytes; `sha256` in hexadecimal digits."""

    path: str
    size: int
    sha256: str


def content(connection: Connection, address: str, file: File, start: int = 0) -> Iterator[bytes]:
    """The bytes of a file from `start`, going on where the line was cut. Raises ConnectionLostError when it stays so.

    Tries are counted anew whenever something came through: a bad line brings a large file here in the end.
    """
    n_tried, where = 0, f"{address}/{quote(file.path)}"
    while start < file.size:
        try:
            with connection.stream(where, {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}) as answer:
                passed_over = start if answer.status_code == 200 else 0  # somebody between us knows no ranges
                for chunk in answer.iter_raw():
                    part, passed_over = chunk[passed_over:], max(passed_over - len(chunk), 0)
                    if part:
                        start, n_tried = start + len(part), 0
                        yield part
            if start < file.size:
                raise httpx.ReadError(f"{file.path} ended after {start:,} of {file.size:,} bytes")
        except httpx.TransportError as cut:
            n_tried += 1
            problem = connection.lost(cut)
            problem.__cause__ = cut
            connection.pause(n_tried, problem)


def download(
    connection: Connection, address: str, files: Sequence[File], folder: Path, *, label: str, progress: bool
) -> Path:
    """All files below a folder, which is made. Those that are there with the right sum are left as they are."""
    total, done = sum(file.size for file in files), 0
    targets = [_inside(folder, file) for file in files]
    with shown(label, unit="B", is_wanted=progress) as bar:
        bar.show(0, total)
        for file, target in zip(files, targets, strict=True):
            if not _is_there(target, file):
                target.parent.mkdir(parents=True, exist_ok=True)
                _fetch(connection, address, file, target, Told(bar, done, total))
            done += file.size
            bar.show(done, total)
    return folder


@dataclass(frozen=True, slots=True)
class Told:
    """Tells of a file's bytes as a part of all that is fetched."""

    bar: Bar
    before: int
    total: int

    def has(self, file: File, n_bytes: int) -> None:
        self.bar.show(self.before + n_bytes, self.total, PurePosixPath(file.path).name)


def _fetch(connection: Connection, address: str, file: File, target: Path, told: Told) -> None:
    """Twice at most: a part that was wrong before, or spoilt on its way, is not mended by going on from it."""
    partial = target.with_name(f"{target.name}.partial")
    for is_last in (False, True):
        found = _continue(connection, address, file, partial, told)
        if found == file.sha256:
            partial.replace(target)
            return
        partial.unlink()
        if is_last:
            raise ChecksumError(
                f"{file.path} came twice with the SHA-256 {found}, and not with {file.sha256}; nothing of it was kept"
            )


def _continue(connection: Connection, address: str, file: File, partial: Path, told: Told) -> str:
    """Append what is missing; returns the SHA-256 of the whole."""
    digest = hashlib.sha256()
    if partial.exists() and partial.stat().st_size > file.size:
        partial.unlink()
    with partial.open("a+b") as out:
        out.seek(0)
        while chunk := out.read(_CHUNK_BYTES):
            digest.update(chunk)
        n_bytes = out.tell()
        told.has(file, n_bytes)
        for chunk in content(connection, address, file, start=n_bytes):
            out.write(chunk)
            digest.update(chunk)
            n_bytes += len(chunk)
            told.has(file, n_bytes)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _is_there(target: Path, file: File) -> bool:
    if not target.is_file() or target.stat().st_size != file.size:
        return False
    with target.open("rb") as found:
        return hashlib.file_digest(found, "sha256").hexdigest() == file.sha256


def _inside(folder: Path, file: File) -> Path:
    """Where a file goes. Raises UnexpectedAnswerError for a path that leads out of the folder."""
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or "\\" in file.path or ":" in file.path or not path.parts:
        raise UnexpectedAnswerError(f"the server names a file “{file.path}”, which would lie outside of {folder}")
    return folder.joinpath(*path.parts)
