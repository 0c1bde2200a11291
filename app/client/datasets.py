"""Frozen datasets: what is in them, their files, and their rows one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from .connection import Connection
from .errors import TiebreakError
from .files import File, content, download
from .preferences import Group, Preference, groups

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A version that never changes. `counts` says for `train` and `test` how many groups and tuples there are."""

    id: int
    name: str
    version: int
    project: str
    filters: dict[str, Any]
    split: dict[str, Any]
    settings: dict[str, Any]
    counts: dict[str, Any]
    sha256: str
    files: tuple[File, ...]
    created_at: datetime
    _connection: Connection = field(repr=False, compare=False)

    def groups(self, split: Split | None = None) -> Iterator[Group]:
        """Every judged group, of one side or of both, read as it comes."""
        for side in SPLITS if split is None else (split,):
            yield from groups(content(self._connection, self._address, self._file(f"{side}.jsonl")))

    def preferences(self, split: Split | None = None) -> Iterator[Preference]:
        """The tuples of those groups; ties and “all bad” make none."""
        for group in self.groups(split):
            yield from group.preferences()

    def download(self, folder: str | PathLike[str] | None = None, *, progress: bool = True) -> Path:
        """Fetch the files, into `./<name>-v<version>` where no folder is named; returns the folder.

        What is there is left as it is, what was cut off goes on, and every file is checked against its SHA-256.
        """
        into = Path(folder if folder is not None else f"{self.name}-v{self.version}")
        label = f"{self.name} v{self.version}"
        return download(self._connection, self._address, self.files, into, label=label, progress=progress)

    @property
    def _address(self) -> str:
        return f"datasets/{self.id}/files"

    def _file(self, path: str) -> File:
        for file in self.files:
            if file.path == path:
                return file
        raise TiebreakError(
            f"{self.name} v{self.version} has no file {path}; it has {[one.path for one in self.files]}"
        )
