"""A database that is away: which errors say so, how long a trainer waits for it, and why a frozen trainer locks no row meanwhile.

A machine that sleeps, or is cut off, may stop between two statements of a transaction. Its row would stay locked for as long as the
machine is silent, and nobody could take the run over. So Postgres ends a transaction of a trainer or its supervisor that has been
idle for as long as a lease lasts; whoever wakes up then finds its connection gone and the run somebody else's.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError

from app.db import engine
from app.settings import get_settings

Given = ParamSpec("Given")
Found = TypeVar("Found")


def is_away(problem: DBAPIError) -> bool:
    """Whether asking again may help: the database is not there, or has ended the connection."""
    return isinstance(problem, OperationalError) or problem.connection_invalidated


def patiently(ask: Callable[Given, Found]) -> Callable[Given, Found]:
    """Ask again while the database is away. After a lease the supervisor has given the run up too, so the error is raised.

    A commit whose answer was lost is met as a closed run: then `Fenced` is raised, and the row says what became of it.
    """

    @wraps(ask)
    def asking(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        deadline = time.monotonic() + get_settings().trainer_lease_s
        while True:
            try:
                return ask(*args, **kwargs)
            except DBAPIError as problem:
                if not is_away(problem) or time.monotonic() > deadline:
                    raise
                print(f"the database is away: {problem}", flush=True)  # noqa: T201 -- the run's log
                time.sleep(1)

    return asking


def hold_no_row_for_long() -> None:
    """For a process whose transactions are all short: from here on its connections are ended in the middle of a silent one."""
    event.listen(engine(), "do_connect", _with_a_limit)


def _with_a_limit(dialect: Any, record: Any, arguments: Any, named: dict[str, Any]) -> None:
    del dialect, record, arguments
    limit_ms = get_settings().trainer_lease_s * 1000
    named["options"] = f"{named.get('options', '')} -c idle_in_transaction_session_timeout={limit_ms}"
