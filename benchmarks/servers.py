"""Web servers to measure, each with the command that `tiebreak up` uses, and what they and Postgres cost in CPU time."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from app.embedded import commands
from app.settings import ROOT
from benchmarks.report import give_up

STARTING_S = 60


@contextmanager
def served(app: str, processes: int, log: Path, page: str = "/healthz") -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of `app`, which has answered with `page`; the rest comes from the environment."""
    port = free_port()
    command = [word if word != "app.main:app" else app for word in commands.argv("web")]
    env = os.environ | {"UVICORN_HOST": "127.0.0.1", "UVICORN_PORT": str(port), "UVICORN_WORKERS": str(processes)}
    with log.open("wb") as output, subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output) as server:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}{page}", server, log)
            yield port, psutil.Process(server.pid)
        finally:
            if server.poll() is not None:
                print(f"{app} ended by itself with {server.returncode}:\n{log.read_text()[-3000:]}", file=sys.stderr)
            server.terminate()


def free_port() -> int:
    """Below those that the system takes for connections on their way out, so that none of them has it a moment later."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTING_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    give_up(f"{url} did not answer: {log.read_text()[-2000:]}")


def postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))


def cpu_s(root: psutil.Process) -> float:
    """What a process and all it ever started have used so far."""
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system + used.children_user + used.children_system
    return total
