"""Published models: what they are, what they measured, and their files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

from .connection import Connection
from .files import File, download


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A version of a name. `kind` is policy or reward; `metrics` has what it is worth `before` and `after` training."""

    id: int
    name: str
    version: int
    kind: str
    method: str
    run_id: Annotated[int, "run"]
    dataset_id: Annotated[int, "dataset"]
    project: str
    base_model: str
    metrics: Mapping[str, Any]
    sha256: str
    files: tuple[File, ...]
    aliases: tuple[str, ...]
    created_at: datetime
    _connection: Connection = field(repr=False, compare=False)

    def download(self, folder: str | PathLike[str] | None = None, *, progress: bool = True) -> Path:
        """Fetch the files, into `./<name>-v<version>` where no folder is named; `from_pretrained` reads that folder.

        What is there is left as it is, what was cut off goes on, also from an earlier call, and every file is checked
        against its SHA-256 before it takes its name.
        """
        into = Path(folder if folder is not None else f"{self.name}-v{self.version}")
        address, label = f"checkpoints/{self.id}/files", f"{self.name} v{self.version}"
        return download(self._connection, address, self.files, into, label=label, progress=progress)
