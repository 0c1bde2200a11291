"""What people wait for: one short child process for each planned run that somebody asks about (`preflight.py`).

The child writes its answer into the row itself, each time with its attempt's number. This job only claims the row, keeps
the child within `LONGEST_S`, and speaks for it when it could not. Nothing here loads torch, so a model that does not fit
into memory takes nothing along but its own process. A row whose worker was killed is given back by the sweep.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Update, func, update

from app.db import work_unit
from app.doorbell import ring
from app.models import Preflight
from app.models.preflight import LONGEST_S
from app.settings import ROOT
from app.tied import tied
from worker.supervise import Lifeline

LOOK_EVERY_S = 0.1
KILLED = (
    "The trainer was ended by {name} while it looked at this. Often that means that the machine has no memory left for the base "
    "model: a smaller one needs less."
)
TOO_LONG = (
    f"There was no answer within {LONGEST_S} seconds: the base model is too large to be tried quickly, or it is being fetched. "
    "The run itself may take as long as it needs."
)
_log = logging.getLogger(__name__)

Command = Callable[[int, int], Sequence[str]]


def preflight_command(preflight_id: int, attempt: int) -> list[str]:
    words = ["--id", str(preflight_id), "--attempt", str(attempt), "--began", f"{time.time():.3f}"]
    return [sys.executable, "-m", "worker.preflight", *words]


def look_ahead(preflight_id: int, lifeline: Lifeline, command: Command = preflight_command) -> None:
    """Answer what somebody wants to know about a planned run, if nobody else does."""
    attempt = claim(preflight_id)
    if attempt is None:
        return
    with tempfile.TemporaryDirectory(prefix="tiebreak-preflight-") as scratch:
        child = subprocess.Popen(  # noqa: S603 -- the command comes from our own code
            [*tied(), *command(preflight_id, attempt)],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": scratch},
            cwd=ROOT,
        )
        deadline = time.monotonic() + LONGEST_S
        is_leaving = False
        while child.poll() is None and time.monotonic() < deadline and not is_leaving:
            is_leaving = lifeline.breaks_within(LOOK_EVERY_S)
        is_late = child.poll() is None and not is_leaving
        child.kill()
        status = child.wait()
    if is_leaving:
        give_back(preflight_id, attempt)
    elif is_late:
        fail(preflight_id, attempt, TOO_LONG)
    elif status:
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        _log.warning("preflight %s, attempt %s: the child ended with %s", preflight_id, attempt, name)
        fail(preflight_id, attempt, KILLED.format(name=name))


def claim(preflight_id: int) -> int | None:
    """The number of this attempt; None where there is nothing to take."""
    with work_unit() as session:
        return session.scalar(
            update(Preflight)
            .where(Preflight.id == preflight_id, Preflight.state == "queued")
            .values(state="running", attempt=Preflight.attempt + 1, started_at=func.now(), stage="starting")
            .returning(Preflight.attempt)
        )


def give_back(preflight_id: int, attempt: int) -> None:
    """Through no fault of its own, so that the attempt does not count."""
    with work_unit() as session:
        values = {"state": "queued", "attempt": attempt - 1, "stage": ""}
        if session.scalar(_mine(preflight_id, attempt).values(values).returning(Preflight.id)) is not None:
            ring(session, "runs.preflight", preflight_id)


def fail(preflight_id: int, attempt: int, words: str) -> None:
    with work_unit() as session:
        session.execute(_mine(preflight_id, attempt).values(state="failed", error=words, finished_at=func.now()))


def _mine(preflight_id: int, attempt: int) -> Update:
    """A child that has spoken has closed the row: then this matches nothing."""
    mine = (Preflight.id == preflight_id, Preflight.attempt == attempt, Preflight.state == "running")
    return update(Preflight).where(*mine)
