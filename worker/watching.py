"""What a supervisor tells about its run beside the lease: the end of the log, and what the trainer takes of its machine.

The log lies on the trainer's machine, where the web application cannot read it. So its last lines go into a row every few
seconds, as many as a page shows, and only when something is new; the whole of it goes besides, piece by piece (`log_copy.py`).
The row is written under the claim's fence, so whoever has lost the run tells nothing. A database that is away is not waited for: the lease has its own opinion about that.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from app.db import work_unit
from app.models import Run, RunWatch
from worker.lease import Claim
from worker.log_copy import LogCopy
from worker.usage import ProcessUsage

TELL_EVERY_S = 3.0
TAIL_LINES = 200
TAIL_BYTES = 24_000
_log = logging.getLogger(__name__)


class Watcher:
    def __init__(self, held: Claim, log: Path, copy: LogCopy, pid: int, environment: Mapping[str, str]) -> None:
        self.held, self.log, self.copy = held, log, copy
        self.usage = ProcessUsage(pid, environment)
        self.told: tuple[str, dict[str, Any]] | None = None
        self.next_at = 0.0

    def look(self) -> None:
        """Tell what is new, if it is time."""
        if time.monotonic() >= self.next_at:
            self.next_at = time.monotonic() + TELL_EVERY_S
            self.tell(self.usage.now())
            self.tell_all()

    def last(self) -> None:
        """The end of the log, once the trainer has gone; what it took stays as it was last seen."""
        self.tell(self.told[1] if self.told else {})
        self.tell_all()

    def tell_all(self) -> None:
        try:
            while self.copy.go_on():
                pass
        except SQLAlchemyError as problem:
            _log.warning("the log of run %s could not be told: %s", self.held.run_id, problem)

    def tell(self, usage: dict[str, Any]) -> None:
        now = tail(self.log), usage
        if now == self.told:
            return
        try:
            tell(self.held, *now)
        except SQLAlchemyError as problem:
            _log.warning("what run %s does could not be told: %s", self.held.run_id, problem)
        else:
            self.told = now


def tell(held: Claim, log: str, usage: dict[str, Any]) -> None:
    """One statement, which writes nothing once somebody else has the run."""
    mine = select(Run.id, literal(log), literal(usage, RunWatch.usage.type), func.now()).where(
        Run.id == held.run_id, Run.fence == held.fence
    )
    row = insert(RunWatch).from_select(["run_id", "log", "usage", "told_at"], mine)
    new = {name: row.excluded[name] for name in ("log", "usage", "told_at")}
    with work_unit() as session:
        session.execute(row.on_conflict_do_update(index_elements=["run_id"], set_=new))


def tail(log: Path) -> str:
    """The last lines of a file, `TAIL_BYTES` at most; a line whose beginning is missing is left out."""
    with suppress(OSError), log.open("rb") as file:
        begin = max(0, log.stat().st_size - TAIL_BYTES)
        file.seek(begin)
        text = file.read(TAIL_BYTES).decode(errors="replace").replace("\0", "�")
        lines = text.split("\n")[1 if begin else 0 :]
        return "\n".join(lines[-TAIL_LINES - 1 :]).strip("\n")
    return ""
