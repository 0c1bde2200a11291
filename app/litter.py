"""Folders in storage that no row names and none ever will: left by processes that were killed between the files and their row.

Work under way is not disturbed, because the names tell whose folders they are. Those of runs carry the fence of the trainer that
made them, and only the trainer with the run's own fence may still give them a row. Datasets are made under a lock on their name.
What these rules do not cover is left alone: folders of runs that this database does not know belong to another place or an older
backup.

    kept/run-7/3-200                  the state of run 7 after 200 steps, by fence 3
    checkpoints/helpful-dpo/run-7-3   what run 7 published, by fence 3
    datasets/helpful/v2
"""

import re
from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Checkpoint, Dataset, Run, RunKeep
from app.run_states import LIVE
from app.storage import storage

_OF_RUNS = re.compile(r"kept/run-(\d+)/(\d+)-\d+|checkpoints/[^/]+/run-(\d+)-(\d+)")
_OF_DATASETS = re.compile(r"datasets/([^/]+)/v\d+")


def litter(session: Session) -> Iterator[str]:
    """Their names. What is being frozen stays locked until the transaction ends, so that it can be deleted within it."""
    for prefix in _folders():  # seen before the rows are asked: what is stored from here on is not judged
        if (found := _OF_RUNS.fullmatch(prefix)) is not None:
            numbers = [int(number) for number in found.groups() if number is not None]
            if _is_nobodys(session, prefix, *numbers):
                yield prefix
        elif (named := _OF_DATASETS.fullmatch(prefix)) is not None and _was_never_frozen(session, prefix, named[1]):
            yield prefix


def _folders() -> list[str]:
    top = [folder for kind in ("kept", "checkpoints", "datasets") for folder in storage().folders(kind)]
    return [folder for above in top for folder in storage().folders(above)]


def _is_nobodys(session: Session, prefix: str, run_id: int, fence: int) -> bool:
    run = session.execute(select(Run.fence, Run.state).where(Run.id == run_id)).one_or_none()
    if run is None or fence > run.fence or (fence == run.fence and run.state in LIVE):
        return False
    return not any(
        session.scalar(select(table.id).where(table.prefix == prefix).limit(1)) for table in (RunKeep, Checkpoint)
    )


def _was_never_frozen(session: Session, prefix: str, name: str) -> bool:
    """The lock is that of `datasets/service.py`."""
    key = func.hashtextextended(f"dataset:{name}", 0)
    if not session.scalar(select(func.pg_try_advisory_xact_lock(key))):
        return False
    return session.scalar(select(Dataset.id).where(Dataset.prefix == prefix)) is None
