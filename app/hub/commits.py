"""A version as the Hub's clients see one: a commit of forty hexadecimal digits, with a tree of files.

Every file is told as one kept in Git LFS, by its SHA-256: clients verify what they have against it, and our files have no
other name. The `oid` beside it is what Git itself would give the pointer that stands for the file.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Literal

from app.models.checkpoint import HUB_OWNER
from app.storage import Stored

Kind = Literal["model", "dataset"]
COMMIT_DIGITS = 40
CARD = "README.md"


@dataclass(frozen=True)
class Commit:
    """`made` are the files that are not in storage below `prefix`, since they follow from the row: their bytes by path.

    `row_id` is that of the checkpoint or the dataset.
    """

    kind: Kind
    row_id: int
    name: str
    version: int
    sha256: str
    created_at: datetime
    prefix: str
    stored: Sequence[Stored]
    made: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.sha256[:COMMIT_DIGITS]

    @property
    def repository(self) -> str:
        return f"{HUB_OWNER}/{self.name}"

    @cached_property
    def files(self) -> Sequence[Stored]:
        """All files by path, those that follow from the row among them."""
        made = [Stored(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in self.made.items()]
        return sorted([*self.stored, *made], key=lambda file: file.path)

    def last_commit(self) -> dict[str, str]:
        return {"id": self.id, "title": f"v{self.version}", "date": moment(self.created_at)}


def moment(at: datetime) -> str:
    """A point in time as the Hub writes it, to the millisecond, which is the one way its client reads."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def sibling(file: Stored, *, detailed: bool) -> dict[str, Any]:
    """A file as the description of a repository lists it."""
    if not detailed:
        return {"rfilename": file.path}
    lfs = {"sha256": file.sha256, "size": file.size, "pointerSize": len(_pointer(file))}
    return {"rfilename": file.path, "size": file.size, "blobId": _blob(file), "lfs": lfs}


def entries(commit: Commit, folder: str = "", *, recursive: bool = False, expand: bool = False) -> list[dict[str, Any]]:
    """What is in a folder of the tree, folders and files by path; all that is below it when `recursive`."""
    found = {path: entry for path, entry in _all_entries(commit) if _is_in(path, folder, recursive=recursive)}
    return [_told(entry, commit, expand=expand) for _, entry in sorted(found.items())]


def named_entries(commit: Commit, paths: Sequence[str], *, expand: bool = False) -> list[dict[str, Any]]:
    """The entries with exactly these paths; what is not there is left out, as the Hub does."""
    wanted = {path.strip("/") for path in paths}
    found = {path: entry for path, entry in _all_entries(commit) if path in wanted}
    return [_told(entry, commit, expand=expand) for _, entry in sorted(found.items())]


def _told(entry: dict[str, Any], commit: Commit, *, expand: bool) -> dict[str, Any]:
    return {**entry, "lastCommit": commit.last_commit()} if expand else entry


def _all_entries(commit: Commit) -> Iterator[tuple[str, dict[str, Any]]]:
    below: dict[str, list[Stored]] = {}
    for file in commit.files:
        lfs = {"oid": file.sha256, "size": file.size, "pointerSize": len(_pointer(file))}
        yield file.path, {"type": "file", "oid": _blob(file), "size": file.size, "lfs": lfs, "path": file.path}
        for above in PurePosixPath(file.path).parents:
            below.setdefault(str(above), []).append(file)
    for folder, files in below.items():
        if folder != ".":
            lines = "".join(f"{file.sha256}  {file.path}\n" for file in files)
            oid = hashlib.sha1(lines.encode(), usedforsecurity=False).hexdigest()
            yield folder, {"type": "directory", "oid": oid, "size": 0, "path": folder}


def _is_in(path: str, folder: str, *, recursive: bool) -> bool:
    inside = path if not folder else path.removeprefix(f"{folder}/")
    if folder and inside == path:
        return False
    return recursive or "/" not in inside


def _pointer(file: Stored) -> bytes:
    """The text that Git keeps in place of a file whose bytes are elsewhere (git-lfs specification, version 1)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{file.sha256}\nsize {file.size}\n".encode()


def _blob(file: Stored) -> str:
    """Git's name of the pointer."""
    pointer = _pointer(file)
    return hashlib.sha1(b"blob %d\0%b" % (len(pointer), pointer), usedforsecurity=False).hexdigest()
