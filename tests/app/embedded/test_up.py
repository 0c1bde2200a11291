"""The whole of `tiebreak up`, as a process of its own, with its servers, web server and workers."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from app.embedded.leftovers import MARK, working_in
from app.embedded.up import _children
from app.settings import ROOT, Settings
from benchmarks.servers import free_port

UP = (
    "from app import embedded; from app.errors import Mistake; from app.settings import get_settings\n"
    "try: embedded.up(get_settings(), lambda: ['prepared'])\n"
    "except Mistake as mistake: raise SystemExit(mistake.message)"
)
PATIENCE_S = 120
MARK_ROW = "CREATE TABLE IF NOT EXISTS kept (one int); INSERT INTO kept VALUES (1)"


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "home"


def environment(home: Path, port: int) -> dict[str, str]:
    own = {"TIEBREAK_HOME": str(home), "PORT": str(port), "DATABASE_URL": "", "REDIS_URL": "", "STORAGE_URL": ""}
    return os.environ | own


def start(home: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", UP],
        cwd=ROOT,
        env=environment(home, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@contextmanager
def running(home: Path, port: int, *, prepares: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Served and told; ended whatever happens in the test."""
    with start(home, port) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C stops it" not in said:
                line = process.stdout.readline()
                assert line, f"it ended before it served: {said}"
                said += line
            assert served(port)
            assert ("prepared" in said) == prepares
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


def served(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200


def left(home: Path) -> list[psutil.Process]:
    """Whatever this data folder's Tiebreak has running."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == str(home):
                found.append(process)
    servers = (home / "servers").resolve()
    return [*found, *working_in(servers / "postgres", "postgres"), *working_in(servers, "redis")]


def gone(home: Path) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while left(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not left(home)


def sql(home: Path, statement: str) -> str:
    """Run by a command of its own, which finds the running database by the data folder alone."""
    script = (
        "from app import embedded; from app.db import engine; from app.settings import get_settings\n"
        "with embedded.connected(get_settings()), engine().begin() as connection:\n"
        f"    result = connection.exec_driver_sql({statement!r})\n"
        "    print(result.scalar() if result.returns_rows else 'done')\n"
    )
    told = environment(home, free_port())
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_serves_refuses_a_second_one_and_ends_all_with_ctrl_c(home: Path):
    port = free_port()
    with running(home, port) as process:
        assert sql(home, "SELECT count(*) FROM alembic_version") == "1"
        with start(home, free_port()) as second:
            words, _ = second.communicate(timeout=PATIENCE_S)
        assert f"already running with the data folder {home} (process {process.pid}, http://127.0.0.1:{port})" in words
        assert second.returncode == 1
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
        assert process.returncode == 0
        assert left(home) == []


def test_a_taken_port_is_said_before_anything_is_started(home: Path):
    with socket.create_server(("127.0.0.1", 0)) as other, start(home, other.getsockname()[1]) as process:
        words, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "is taken by another program" in words
    assert not (home / "servers").exists()


def test_a_machine_without_torch_serves_and_does_not_train(home: Path):
    settings = Settings(TIEBREAK_HOME=home)
    assert [child.name for child in _children(settings, {}, trains=True)] == ["web", "app", "quick", "train"]
    assert [child.name for child in _children(settings, {}, trains=False)] == ["web", "app"]


@pytest.mark.slow
def test_it_is_killed_and_started_again_and_nothing_is_lost(home: Path):
    port = free_port()
    with running(home, port) as process:
        sql(home, MARK_ROW)
        process.kill()
        process.wait(PATIENCE_S)
        with running(home, port, prepares=False):
            assert sql(home, "SELECT one FROM kept") == "1"
    assert gone(home)
    assert sql(home, "SELECT one FROM kept") == "1"  # by servers of its own, for one command
    assert gone(home)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_nothing_is_left_running_when_it_was_killed(home: Path):
    with running(home, free_port()) as process:
        assert len(left(home)) > 5
        process.kill()
        assert gone(home)


@pytest.mark.slow
def test_a_child_that_dies_is_started_again(home: Path):
    port = free_port()
    with running(home, port) as process:
        assert process.stdout is not None
        (web,) = [each for each in left(home) if "uvicorn" in each.cmdline() and each.ppid() == process.pid]
        web.kill()
        while "web was ended by signal 9; starting it again in 1 s" not in process.stdout.readline():
            assert process.poll() is None
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(OSError):
                if served(port):
                    break
            assert time.monotonic() < deadline
            time.sleep(0.2)
