"""Postgres for one machine: made on first start, reached through a socket that only we can reach.

It listens on no address. Its socket lies in a folder with mode 0700, and even so it asks for a password (SCRAM),
which lies in a file of mode 0600 beside the data. The application's role owns its database and may create others
(the tests do), and is no superuser; the superuser cannot sign in at all, since `pg_hba.conf` has one line, ours.
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.embedded.leftovers import working_in
from app.embedded.places import Places, open_places
from app.embedded.processes import Child
from app.embedded.programs import postgres_programs
from app.errors import Mistake

ROLE = DATABASE = "tiebreak"
START_SECONDS = 60
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def postgres(folder: Path, *, fast: bool = False) -> Iterator[str]:
    """The address of a Postgres with its data below `folder`; `fast` is for tests: nothing is kept, not even the data."""
    places = open_places(folder)
    child = postgres_child(places, folder / "postgres.log", fast=fast)
    try:
        child.start()
        wait_for_postgres(child, places)
        yield postgres_url(places)
    finally:
        child.end()
        if fast:
            shutil.rmtree(places.servers / "postgres")
            places.tidy()


def postgres_child(places: Places, log: Path, *, fast: bool = False) -> Child:
    """Ready to be started; the first time, that makes the database. The lock on the data folder must be ours."""
    data = places.servers / "postgres"
    version_file = data / "PG_VERSION"
    version = version_file.read_text().strip() if version_file.exists() else None
    programs = postgres_programs(places.account, version)
    if version is None:
        _make(places, programs, data, fast=fast)
    settings = SETTINGS | {"unix_socket_directories": str(places.sockets)} | (FAST if fast else {})
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    return Child(
        "postgres",
        [str(programs / "postgres"), "-D", str(data), *options],
        log,
        stop_with=signal.SIGINT,  # its "fast" shutdown: sessions are ended, nothing is lost
        account=places.account,
        environment={"PATH": os.defpath, "LC_ALL": "C"},
        folder=places.servers,
        before_start=lambda: end_earlier_postgres(data),
    )


def postgres_url(places: Places) -> str:
    password = _password_file(places).read_text()
    return f"postgresql+psycopg://{ROLE}:{password}@/{DATABASE}?host={places.sockets}"


def wait_for_postgres(child: Child, places: Places) -> None:
    """Until `postmaster.pid` says so, in the name of this child rather than of an earlier one."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.status() is None:
        lines = _postmaster_lines(places.servers / "postgres")
        if len(lines) >= 8 and lines[0] == str(child.pid) and lines[7].strip() == "ready":
            return
        time.sleep(0.02)
    raise Mistake(f"Postgres did not start. The end of {child.log}:\n{child.last_words()}")


def end_earlier_postgres(data: Path) -> None:
    """Wait for the server of an earlier start, which was told to stop when its supervisor died, or tell it now.

    Only a process that works in this very folder is meant. When nobody does, a `postmaster.pid` left by a power cut is
    taken away, since Postgres would refuse to start if its number now belongs to some other program.
    """
    deadline = time.monotonic() + START_SECONDS
    told = False
    while working := list(working_in(data, "postgres")):
        if time.monotonic() > deadline:
            raise Mistake(f"An earlier Postgres (process {working[0].pid}) still works in {data}. Please end it.")
        lines = _postmaster_lines(data)
        if not told and lines and lines[0] in {str(process.pid) for process in working}:
            os.kill(int(lines[0]), signal.SIGINT)
            told = True
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _postmaster_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _make(places: Places, programs: Path, data: Path, *, fast: bool) -> None:
    """Make the database beside its final place, so that a start which is interrupted is simply begun again."""
    beside = data.with_name("postgres.new")
    if beside.exists():
        shutil.rmtree(beside)
    password = secrets.token_urlsafe(32)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = ["-U", "postgres", "--auth=peer", *locale, "--no-instructions", *(["--no-sync"] if fast else [])]
    _run(places, [programs / "initdb", "-D", beside, *options])
    statements = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n"
    _run(places, [programs / "postgres", "--single", "-D", beside, "postgres"], statements)
    (beside / "pg_hba.conf").write_text(f"local all {ROLE} scram-sha-256\n")
    _write_privately(_password_file(places), password)
    beside.rename(data)


def _run(places: Places, command: list[str | Path], text: str = "") -> None:
    account = places.account
    made = subprocess.run(  # noqa: S603 -- the command comes from our own code
        command,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=places.servers,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if made.returncode != 0:
        raise Mistake(f"The database could not be made: {(made.stderr or made.stdout).strip()}")


def _password_file(places: Places) -> Path:
    return places.home / "database-password"


def _write_privately(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
