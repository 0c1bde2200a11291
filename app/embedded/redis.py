"""Redis for one machine: a socket that only we can reach, and nothing on disk, since messages may be lost.

Without a Redis for this machine Celery passes its messages through files in the data folder, which is slower and
enough: the sweep rings again for rows that nobody took.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.embedded.leftovers import end_working_in
from app.embedded.places import Places, open_places
from app.embedded.processes import Child
from app.embedded.programs import redis_program
from app.errors import Mistake

SOCKET = "redis.sock"
START_SECONDS = 20


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of a broker with its files below `folder`."""
    places = open_places(folder)
    child = redis_child(places, folder / "redis.log")
    try:
        if child is None:
            yield message_files_url(places)
        else:
            child.start()
            wait_for_redis(child, places)
            yield redis_url(places)
    finally:
        if child is not None:
            child.end()
        places.tidy()


def redis_child(places: Places, log: Path) -> Child | None:
    program = redis_program(places.account)
    if program is None:
        return None
    settings = {
        "port": "0",
        "unixsocket": str(places.sockets / SOCKET),
        "unixsocketperm": "700",
        "dir": str(places.servers),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
    }
    options = [option for name, value in settings.items() for option in (f"--{name}", value)]
    return Child(
        "redis",
        [str(program), *options],
        log,
        account=places.account,
        environment={"PATH": os.defpath, "LC_ALL": "C"},
        folder=places.servers,
        before_start=lambda: end_working_in(places.servers, program.name),
    )


def redis_url(places: Places) -> str:
    return f"redis+socket://{places.sockets / SOCKET}?virtual_host=0"


def message_files_url(places: Places) -> str:
    """Beside the servers' folder: these files are written by us, whoever the servers run as."""
    folder = places.home / "messages"
    (folder / "control").mkdir(parents=True, exist_ok=True)
    return f"filesystem://{folder}"


def wait_for_redis(child: Child, places: Places) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.status() is None:
        if _answers(places.sockets / SOCKET):
            return
        time.sleep(0.02)
    raise Mistake(f"Redis did not start. The end of {child.log}:\n{child.last_words()}")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
