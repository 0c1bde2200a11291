"""Every file that a row proves: of datasets, of checkpoints, and of the states that runs can go on from."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models import Checkpoint, Dataset, RunKeep
from app.storage import Corrupt, Stored, check


@dataclass(frozen=True, slots=True)
class Proved:
    """`owner` in words, for people; `keep` is the row's id where it is a state of a run, which may be replaced any time."""

    owner: str
    prefix: str
    file: Stored
    keep: int | None = None

    @property
    def name(self) -> str:
        return f"{self.prefix}/{self.file.path}"


def proved_files(session: Session) -> Iterator[Proved]:
    """In the order of the rows' ids; those of deleted checkpoints are left out."""
    for dataset in session.scalars(select(Dataset).order_by(Dataset.id)):
        for file in dataset.files:
            yield Proved(f"dataset {dataset.name} v{dataset.version}", dataset.prefix, Stored(**file))
    there = select(Checkpoint).where(Checkpoint.deleted_at.is_(None)).order_by(Checkpoint.id)
    for checkpoint in session.scalars(there):
        for file in checkpoint.files:
            yield Proved(f"checkpoint {checkpoint.name} v{checkpoint.version}", checkpoint.prefix, Stored(**file))
    for keep in session.scalars(select(RunKeep).order_by(RunKeep.id)):
        for file in keep.files:
            yield Proved(f"run {keep.run_id} after {keep.step} steps", keep.prefix, Stored(**file), keep.id)


def what_is_wrong(proved: Proved) -> str | None:
    """Read the file from its first byte to its last; None when they are those that were stored."""
    try:
        check(proved.prefix, proved.file)
    except NotFound:
        return "is missing"
    except Corrupt:
        return "has other bytes than were stored"
    return None
