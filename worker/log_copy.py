"""The whole log of a run, copied into rows as it is written, so that it is there when its machine no longer is.

Under the claim's fence, as all that is told: whoever has lost the run copies nothing. What could not be told waits for the next time; a
piece that was stored although its answer was lost is written over by itself and what came after it. Places and lengths are in characters.
"""

import codecs
from pathlib import Path

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert

from app.db import work_unit
from app.models import Run, RunLog
from app.models.run_log import LONGEST_LOG
from worker.lease import Claim

MOST_AT_ONCE_BYTES = 1 << 20


class LogCopy:
    """Begins where the log ends now: an attempt that did not count has left its own words in the same file."""

    def __init__(self, held: Claim, log: Path) -> None:
        self.held, self.log = held, log
        self.at_byte = log.stat().st_size if log.exists() else 0
        self.place, self.waiting = 0, ""
        self.room: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def go_on(self) -> bool:
        """Tell the next piece; whether there may be more. Raises what the database raises."""
        is_more = self._read()
        with work_unit() as session:
            if self.room is None:
                told = select(func.coalesce(func.sum(func.length(RunLog.words)), 0)).where(
                    RunLog.run_id == self.held.run_id
                )
                self.room = max(0, LONGEST_LOG - int(session.scalar(told) or 0))
            self.waiting = self.waiting[: self.room]
            if not self.waiting:
                return False
            held, values = self.held, (self.place, self.held.attempt)
            mine = select(Run.id, Run.fence, *map(literal, values), Run.owner, literal(self.waiting)).where(
                Run.id == held.run_id, Run.fence == held.fence, Run.owner.is_not(None)
            )
            row = insert(RunLog).from_select(["run_id", "fence", "place", "attempt", "owner", "words"], mine)
            new = {"words": row.excluded.words}
            session.execute(row.on_conflict_do_update(index_elements=["run_id", "fence", "place"], set_=new))
        self.place, self.room = self.place + len(self.waiting), self.room - len(self.waiting)
        self.waiting = ""
        return is_more

    def _read(self) -> bool:
        """A character that is not whole yet stays with the decoder. A log that cannot be read has said nothing."""
        try:
            with self.log.open("rb") as file:
                file.seek(self.at_byte)
                new = file.read(MOST_AT_ONCE_BYTES)
        except OSError:
            return False
        self.at_byte += len(new)
        self.waiting += self._decoder.decode(new).replace("\0", "�")
        return len(new) == MOST_AT_ONCE_BYTES
