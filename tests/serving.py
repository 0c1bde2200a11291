"""The web application in a process of its own, on a port of its own: for clients that speak HTTP and nothing else."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from app.settings import ROOT

_WITHIN_S = 240


@contextmanager
def served(**settings: str) -> Iterator[str]:
    """The address of a server with the tests' database and storage, and `settings` besides."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        handle = listening.fileno()
        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--fd", str(handle), "--no-access-log"]
        child = subprocess.Popen(
            [*command, "--log-level", "warning"], env=_environment(settings), cwd=ROOT, pass_fds=[handle]
        )
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            _wait(address, child)
            yield address
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(_WITHIN_S)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **settings}


def _wait(address: str, child: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _WITHIN_S
    while time.monotonic() < ends:
        assert child.poll() is None, "the server ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=_WITHIN_S):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
