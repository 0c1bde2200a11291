"""How often a checkpoint or a dataset was downloaded: one number for each day.

A download is a request that takes the beginning of the first file with data: of the first weights of a checkpoint, of the
training split of a dataset. So fetching a whole folder counts once, also when it is read in ranges or
resumed; looking at the card, or finding that everything is there already, does not count. It costs one small statement.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.models import Checkpoint, Dataset, DownloadCount

LATELY = timedelta(days=30)
# Readers of Parquet begin behind its four magic bytes, and may read its end before.
_BEGINNING = 4
_DATA = (".safetensors", ".parquet", ".jsonl", ".bin")


def count(session: Session, request: Request, row: Checkpoint | Dataset, path: str) -> None:
    """Count this request, if it is a download."""
    if request.method == "GET" and _takes_beginning(request) and path in _first_data(row):
        session.execute(
            insert(DownloadCount)
            .values(**_subject(row), day=datetime.now(UTC).date())
            .on_conflict_do_update(index_elements=[*_subject(row), "day"], set_={"n": DownloadCount.n + 1})
        )


def downloads(session: Session, row: Checkpoint | Dataset, *, since: date | None = None) -> int:
    """All downloads, or those of this day and after."""
    (column,) = _subject(row)
    mine = select(func.coalesce(func.sum(DownloadCount.n), 0)).where(getattr(DownloadCount, column) == row.id)
    return int(session.scalars(mine if since is None else mine.where(DownloadCount.day >= since)).one())


def lately(session: Session, row: Checkpoint | Dataset) -> int:
    """Downloads of the last 30 days, which is what the Hub calls a repository's downloads."""
    return downloads(session, row, since=datetime.now(UTC).date() - LATELY)


def _subject(row: Checkpoint | Dataset) -> Mapping[str, int]:
    return {"checkpoint_id" if isinstance(row, Checkpoint) else "dataset_id": row.id}


def _takes_beginning(request: Request) -> bool:
    asked = request.headers.get("range", "")
    first, _, last = asked.removeprefix("bytes=").partition("-")
    if not (asked.startswith("bytes=") and first.isdecimal()):
        return not asked.startswith("bytes=-")
    return int(first[:18]) <= _BEGINNING and (not last.isdecimal() or int(last[:18]) > _BEGINNING)


def _first_data(row: Checkpoint | Dataset) -> Sequence[str]:
    """The one file that counts, or for a dataset the one of each format in the folder of each shape."""
    paths = sorted(_paths(row.files), key=lambda path: (path.count("/"), path))
    data = [path for path in paths if path.endswith(_DATA)]
    if isinstance(row, Checkpoint):
        return data[:1]
    first: dict[tuple[str, str], str] = {}
    for path in sorted(data, key=lambda path: ("/train." not in f"/{path}", path)):
        first.setdefault((path.rpartition("/")[0], path.rpartition(".")[2]), path)
    return list(first.values())


def _paths(files: Sequence[Mapping[str, Any]]) -> list[str]:
    return [file["path"] for file in files]
