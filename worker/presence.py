"""One row for each live trainer: described once by a process with torch, and seen again every ten seconds, with what its machine has free.

Nothing takes the row back: a trainer that is gone is not seen any more, and readers believe a row for a minute at
most. Where the row has vanished, or could not be written, it is described again.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress

from sqlalchemy import func, update
from sqlalchemy.exc import SQLAlchemyError

from app.db import work_unit
from app.models import Trainer
from app.settings import ROOT
from worker.usage import of_machine

SEEN_EVERY_S = 10.0
_log = logging.getLogger(__name__)


def start(name: str) -> None:
    """Announce the trainer and keep it announced, from a thread that lives as long as this process."""
    threading.Thread(target=_stay, args=[name], name="presence", daemon=True).start()


def _stay(name: str) -> None:
    description = _describe(name)
    while True:
        try:
            known = be_seen(name)
        except SQLAlchemyError as problem:
            _log.warning("this trainer could not say that it lives: %s", problem)
            known = True  # nobody can tell
        if description.poll() is not None and (description.returncode != 0 or not known):
            description = _describe(name)
        time.sleep(SEEN_EVERY_S)


def be_seen(name: str) -> bool:
    """Whether there is a row for it."""
    with work_unit() as session:
        statement = (
            update(Trainer)
            .where(Trainer.name == name)
            .values(last_seen_at=func.now(), usage=of_machine())
            .returning(Trainer.id)
        )
        return session.scalar(statement) is not None


def _describe(name: str) -> subprocess.Popen[bytes]:
    """With little claim to the processor: it loads torch while the web server may be starting."""
    command = [sys.executable, "-m", "worker.announce", name]
    description = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=ROOT)  # noqa: S603 -- the command is our own
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, description.pid, 10)
    return description
