"""Items on their way in: any number of them, a batch at a time, with word of what became of each.

A record is `{"prompt": text or messages, "responses": [text or {"text", "model", …}], "id", "metadata", …}`, or one of the
usual preference shapes; the server's README has them all. Importing the same again adds nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from .connection import Connection
from .errors import TiebreakError
from .progress import shown

BATCH_ITEMS = 500
BATCH_BYTES = 4 << 20
MOST_NAMED = 1000
TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class BadItem:
    """`index` counts from 0 in what was pushed."""

    index: int
    message: str


@dataclass(slots=True)
class Pushed:
    """`imported` were new, `duplicates` there already, `judgments` came with them; of `failed` the first thousand are in `bad`."""

    imported: int = 0
    duplicates: int = 0
    judgments: int = 0
    failed: int = 0
    bad: list[BadItem] = field(default_factory=list)

    def fail(self, index: int, message: str) -> None:
        self.failed += 1
        if len(self.bad) < MOST_NAMED:
            self.bad.append(BadItem(index, message))


@dataclass(slots=True)
class _Batch:
    """Lines as they are sent; `places` says which item each line is."""

    lines: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    n_bytes: int = 0


def push(
    connection: Connection, slug: str, items: Iterable[Mapping[str, Any]], *, batch: int, progress: bool
) -> Pushed:
    """What is pushed when an error ends it stays, and the error says how much that was."""
    if isinstance(items, str | bytes | Mapping):
        raise TypeError("items are many records: give a list of dictionaries, or whatever yields dictionaries")
    pushed, total = Pushed(), len(items) if isinstance(items, Sized) else None
    with shown(f"items to {slug}", unit="item", is_wanted=progress) as bar:
        try:
            for full in _batches(items, pushed, batch):
                _send(connection, slug, full, pushed)
                done = full.places[-1] + 1
                bar.show(done, total, f"{pushed.failed:,} bad" if pushed.failed else "")
        except TiebreakError as problem:
            n_stored = pushed.imported + pushed.duplicates
            problem.add_note(f"{n_stored:,} items are stored already; pushing all of them again adds none twice.")
            raise
    pushed.bad.sort(key=lambda bad: bad.index)
    return pushed


def _batches(items: Iterable[Mapping[str, Any]], pushed: Pushed, most: int) -> Iterator[_Batch]:
    batch = _Batch()
    for index, item in enumerate(items):
        try:
            line = json.dumps(item, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as problem:
            pushed.fail(index, f"this cannot be written as JSON: {problem}")
            continue
        if batch.lines and batch.n_bytes + len(line) > BATCH_BYTES:
            yield batch
            batch = _Batch()
        batch.lines.append(line)
        batch.places.append(index)
        batch.n_bytes += len(line)
        if len(batch.lines) == most:
            yield batch
            batch = _Batch()
    if batch.lines:
        yield batch


def _send(connection: Connection, slug: str, batch: _Batch, pushed: Pushed) -> None:
    told = connection.post(
        f"projects/{quote(slug, safe='')}/items",
        content=b"".join(batch.lines),
        media_type="application/x-ndjson",
        timeout_s=TIMEOUT_S,
    )
    pushed.imported += told["imported"]
    pushed.duplicates += told["duplicates"]
    pushed.judgments += told["judgments"]
    for error in told["errors"]:
        pushed.fail(batch.places[error["line"] - 1], error["message"])
