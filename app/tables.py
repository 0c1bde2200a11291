"""Whether the tables of the database are those that this version of the code was written for, and how long a worker waits for that.

A new version is brought in while others still run: its workers may start before its migrations are done, and would then fail with
whatever table they miss first. So a worker takes no message before the tables fit, and says what it waits for. Older
code beside newer tables waits as well, for whoever ends it.
"""

import logging
import time
from functools import lru_cache
from typing import Any

from celery.signals import worker_init
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.db import engine
from app.settings import ROOT

LOOK_AGAIN_S = 2.0
SAY_AGAIN_S = 60.0
_log = logging.getLogger(__name__)


class TablesDiffer(Exception):  # noqa: N818 -- a finding
    """Which tables there are, which are needed, and what to do."""


@lru_cache
def newest_tables() -> str:
    """The migration that this version of the code was written for."""
    return scripts().get_current_head() or ""


def scripts() -> Any:
    from alembic.config import Config  # noqa: PLC0415 -- takes its time to load, and a first page should not wait for it
    from alembic.script import ScriptDirectory  # noqa: PLC0415 -- as above

    return ScriptDirectory.from_config(Config(toml_file=ROOT / "pyproject.toml"))


def demand_fitting() -> str:
    """Raises TablesDiffer, or what the database raises when it is away."""
    newest = newest_tables()
    with engine().connect() as connection:
        exists = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        present = connection.scalar(text("SELECT version_num FROM alembic_version")) if exists else None
    if present == newest:
        return newest
    if present is None or _is_known(present):
        raise TablesDiffer(
            f"the tables are at {present or 'nothing'}, this version needs {newest}: run `tiebreak migrate`"
        )
    raise TablesDiffer(
        f"the tables are at {present}, which this version does not know; it needs {newest}: they belong to a newer version, so "
        "start that one here"
    )


def _is_known(revision: str) -> bool:
    return any(script.revision == revision for script in scripts().walk_revisions())


@worker_init.connect
def wait_for_tables(**_: Any) -> None:
    """Until they fit. A signal ends the process as ever."""
    said: str | None = None
    said_at = 0.0
    while True:
        try:
            demand_fitting()
        except (TablesDiffer, OperationalError) as problem:
            words = str(problem)
            if words != said or time.monotonic() - said_at > SAY_AGAIN_S:
                _log.warning("this worker waits: %s", words)
                said, said_at = words, time.monotonic()
        else:
            break
        time.sleep(LOOK_AGAIN_S)
    if said is not None:
        _log.warning("the tables fit now, so this worker begins")
    engine().dispose()  # nothing that a forked process could share
