"""The database and the broker of one machine: started for `up`, found or started for a command."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.embedded.lock import COMMAND, STOPPING, data_folder_lock, running
from app.embedded.migrations import migrate
from app.embedded.places import open_home, open_places
from app.embedded.postgres import postgres_child, postgres_url, wait_for_postgres
from app.embedded.processes import Child
from app.embedded.redis import message_files_url, redis_child, redis_url, wait_for_redis
from app.errors import Mistake
from app.settings import Settings, get_settings

STARTING_SECONDS = 60


def start_servers(settings: Settings, stack: ExitStack) -> tuple[list[Child], dict[str, str]]:
    """What the settings leave to us, started together; `stack` ends it. Also: where both are, as environment."""
    addresses = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    if all(addresses.values()):
        return [], addresses
    places = open_places(settings.home)
    logs = places.home / "logs"
    database = None if settings.database_url else postgres_child(places, logs / "postgres.log")
    broker = None if settings.redis_url else redis_child(places, logs / "redis.log")
    children = [child for child in (database, broker) if child is not None]
    for child in children:
        stack.callback(child.end)
        child.start()
    if database is not None:
        wait_for_postgres(database, places)
        addresses["DATABASE_URL"] = postgres_url(places)
    if broker is not None:
        wait_for_redis(broker, places)
        addresses["REDIS_URL"] = redis_url(places)
    elif not settings.redis_url:
        addresses["REDIS_URL"] = message_files_url(places)
    return children, addresses


def adopt(addresses: dict[str, str]) -> None:
    """From here on, this process' settings name these servers."""
    os.environ.update(addresses)
    get_settings.cache_clear()


def join(settings: Settings) -> None:
    """For a process that serves: what the settings name, and for the rest the Tiebreak that is running here."""
    _adopt_rest(settings, _addresses_in_use(settings))
    if not get_settings().database_url:
        raise Mistake(
            f"Tiebreak is not running with the data folder {settings.home}. Start it with `make run`, or say with "
            "DATABASE_URL and REDIS_URL where its database and its broker are."
        )


@contextmanager
def connected(settings: Settings) -> Iterator[None]:
    """For a command: as `join`, and where nothing is running, servers of its own for as long as it takes."""
    with ExitStack() as stack:
        found = _addresses_in_use(settings)
        if not settings.database_url and found is None:
            open_home(settings.home)
            lock = stack.enter_context(data_folder_lock(settings.home))
            lock.note(COMMAND)
            _, found = start_servers(settings, stack)
            adopt(found)
            migrate()
        _adopt_rest(settings, found)
        yield


def _adopt_rest(settings: Settings, found: dict[str, str] | None) -> None:
    given = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    adopt({name: address for name, address in (found or {}).items() if not given[name]})


def _addresses_in_use(settings: Settings) -> dict[str, str] | None:
    """Those of a running Tiebreak. One that has just been started is waited for, and so is another command's end."""
    if settings.database_url and settings.redis_url:
        return None
    deadline = time.monotonic() + STARTING_SECONDS
    while (noted := running(settings.home)) is not None and noted.get("state") != STOPPING:
        if isinstance(servers := noted.get("servers"), dict):
            return servers
        if time.monotonic() > deadline:
            raise Mistake(
                f"Another process has been starting or using the database for a minute: {noted.get('pid')}. Its logs "
                f"are in {settings.home / 'logs'}."
            )
        time.sleep(0.1)
    return None
