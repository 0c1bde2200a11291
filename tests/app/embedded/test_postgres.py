import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from app.embedded import postgres
from app.embedded.leftovers import working_in


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, since sockets live in it, and open enough for the servers' account where the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "home"


def connect(url: str, **other: str) -> psycopg.Connection:
    given = make_url(url)
    return psycopg.connect(
        host=str(given.query["host"]),
        user=other.get("user", given.username),
        password=other.get("password", given.password),
        dbname=given.database,
        autocommit=True,
    )


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "servers" / "postgres" / "postmaster.pid").read_text().split()[0]))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    """One for all who only look: its address and its data folder."""
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        Path(name).chmod(0o755)
        with postgres(Path(name) / "home", fast=True) as url:
            yield url, Path(name) / "home"


def test_it_answers_on_a_socket_and_on_no_address(server: tuple[str, Path]):
    url, folder = server
    with connect(url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT lower('ÄÖ')").fetchone() == ("äö",)
    listening = [each for each in postmaster(folder).net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert listening == []


def test_its_folders_are_closed_and_its_password_is_ours_alone(server: tuple[str, Path]):
    url, folder = server
    assert mode(folder / "servers") == mode(Path(str(make_url(url).query["host"]))) == 0o700
    assert mode(folder / "database-password") == 0o600
    assert mode(folder) in {0o700, 0o710}


@pytest.mark.parametrize("who", [{"password": "guess"}, {"user": "postgres"}], ids=["wrong password", "superuser"])
def test_it_lets_nobody_in_without_the_password(server: tuple[str, Path], who: dict[str, str]):
    with pytest.raises(psycopg.OperationalError):
        connect(server[0], **who)


def test_the_role_of_the_application_is_no_superuser_and_may_make_databases(server: tuple[str, Path]):
    with connect(server[0]) as connection:
        rights = connection.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user")
        assert rights.fetchone() == (False, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_of_the_machine_cannot_connect(server: tuple[str, Path]):
    path = Path(str(make_url(server[0]).query["host"])) / ".s.PGSQL.5432"
    attempt = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    told = subprocess.run(stranger(attempt), **nobody, capture_output=True, text=True, check=False)
    assert "PermissionError" in told.stderr


def stranger(script: str) -> list[str]:
    """A Python that a stranger can run: ours may lie where strangers cannot go."""
    for python in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable):
        if Path(python).exists():
            return [python, "-I", "-c", script]
    raise AssertionError("no Python")


def test_what_was_committed_is_there_after_it_was_killed(folder: Path):
    with postgres(folder) as url:
        with connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        server = postmaster(folder)
        server.send_signal(signal.SIGKILL)
        server.wait(10)
    with postgres(folder) as url, connect(url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_it_starts_although_the_number_in_its_file_is_another_programs_now(folder: Path):
    with postgres(folder):
        pass
    stale = folder / "servers" / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n{stale.parent}\n1\n5432\n\n\n\nready\n")
    with postgres(folder) as url, connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_second_start_ends_the_server_of_the_first(folder: Path):
    with postgres(folder) as url:
        first = postmaster(folder)
        with postgres(folder), connect(url) as connection:
            assert postmaster(folder) != first
            assert [
                each for each in working_in((folder / "servers").resolve() / "postgres", "postgres") if each == first
            ] == []
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_long_folder_gets_a_short_socket_and_nothing_is_left(folder: Path):
    long = folder / ("x" * 100)
    with postgres(long, fast=True) as url, connect(url) as connection:
        assert len(str(make_url(url).query["host"])) < 60
        assert connection.execute("SELECT 1").fetchone() == (1,)
        data = (long / "servers").resolve() / "postgres"
        assert list(working_in(data, "postgres"))
    assert list(working_in(data, "postgres")) == []
    assert not (long / "servers").exists()
