"""Whether this process lives, and whether it can do its work: `/healthz`, `/readyz`, and the checks behind them.

`/healthz` says that the process answers, and asks nothing of anybody: a supervisor restarts what does not live, and a
database that is away is not mended by restarting web servers. `/readyz` asks database, tables and storage, so that a load
balancer sends people elsewhere; it looks at most once a second, and tells strangers names of parts and no details.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import text

from app import tables as versions
from app.db import work_unit
from app.storage import in_words, storage

LOOK_AGAIN_S = 1.0
router = APIRouter(include_in_schema=False)
_log = logging.getLogger(__name__)


class Ill(Exception):  # noqa: N818 -- a finding, not an error of ours
    """What is wrong and how to mend it."""


def database() -> str:
    with work_unit() as session:
        return f"PostgreSQL {session.scalar(text('SHOW server_version'))}"


def tables() -> str:
    try:
        return f"at {versions.demand_fitting()}, the newest"
    except versions.TablesDiffer as difference:
        raise Ill(str(difference)) from difference


def reachable_storage() -> str:
    storage().reach()
    return "can be reached"


@dataclass
class Readiness:
    """What was found a moment ago, for everybody who asks within the second."""

    checks: dict[str, Callable[[], str]]
    found: dict[str, str] = field(default_factory=dict)
    looked_at: float = float("-inf")
    lock: Lock = field(default_factory=Lock)

    def look(self) -> dict[str, str]:
        with self.lock:
            if time.monotonic() - self.looked_at > LOOK_AGAIN_S:
                self.found = {name: _state(name, check) for name, check in self.checks.items()}
                self.looked_at = time.monotonic()
            return self.found


def _state(name: str, check: Callable[[], str]) -> str:
    try:
        check()
    except Exception as problem:  # noqa: BLE001 -- whatever it is, this process is not ready, and its log says why
        _log.warning("not ready: %s: %s", name, in_words(problem))
        return "not ready"
    return "ok"


readiness = Readiness({"database": database, "tables": tables, "storage": reachable_storage})


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz")
def readyz() -> JSONResponse:
    """200 when everything is there, 503 when something is not, with each part by its name."""
    found = readiness.look()
    is_ready = set(found.values()) == {"ok"}
    body = {"status": "ok" if is_ready else "not ready", "parts": found}
    return JSONResponse(body, status_code=200 if is_ready else 503)
