"""The port that people type: free before anything is started, served before anybody is told."""

import errno
import http.client
import socket
import time
from contextlib import closing

from app.embedded.processes import Child
from app.errors import Mistake
from app.settings import Settings

SERVED_WITHIN_S = 120
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 -- names them, binds nothing


def demand_free_port(settings: Settings) -> None:
    problem = _problem(settings.host, settings.port)
    if problem is None:
        return
    if isinstance(problem, PermissionError):
        raise Mistake(f"Port {settings.port} is for root alone. Choose one above 1023: PORT=8000 make run")
    if problem.errno != errno.EADDRINUSE:
        raise Mistake(f"This machine has no address {settings.host!r}. HOST=127.0.0.1 serves this machine alone.")
    near = range(settings.port + 1, min(settings.port + 100, 65_536))
    free = next((port for port in near if _problem(settings.host, port) is None), None)
    choice = f"PORT={free} make run" if free else "PORT=… make run"
    raise Mistake(f"Port {settings.port} is taken by another program. Choose another one: {choice}")


def wait_until_served(web: Child, settings: Settings) -> None:
    deadline = time.monotonic() + SERVED_WITHIN_S
    while time.monotonic() < deadline and web.status() is None:
        if _serves(EVERYWHERE.get(settings.host, settings.host), settings.port):
            return
        time.sleep(0.05)
    raise Mistake(f"The web server did not start. The end of {web.log}:\n{web.last_words()}")


def _problem(host: str, port: int) -> OSError | None:
    """Why a server could not listen there: bound as uvicorn binds it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as problem:
        return problem
    return None


def _serves(host: str, port: int) -> bool:
    with closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
