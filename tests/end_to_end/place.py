"""A whole Tiebreak in a folder of its own, started by `tiebreak up`, and gates in its database at which a trainer waits.

A gate is how a story knows the moment at which something dies: the state after some step, or the checkpoint, has been written to
storage, and the transaction with its row waits for a lock that the story holds. Nothing in the application knows of it.

    python -m tests.end_to_end.place      what `Place` starts: `tiebreak up`, for one admin, without samples to train on
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from sqlalchemy import select

from app import embedded
from app.access import SCOPES
from app.db import work_unit
from app.embedded.leftovers import working_in
from app.embedded.lock import running
from app.models import User
from app.people import service as people
from app.settings import ROOT, get_settings
from app.tied import tied
from tests.end_to_end.machine import Machine
from tests.end_to_end.servers import end, free_port

STEPS, EACH = 12, 4
"""A run's length, and every how many steps it keeps its state."""
PUBLISHING, MEASURED, LOOKED = 0, 1_000_000, 2_000_000
"""The gates before a checkpoint's row, before that of what was measured at the end, and, so many steps further, before what was measured midway;
the others are before the row of the state after so many steps.
"""
PATIENCE_S = 240.0
LEASE_S = 30
"""Longer than a busy machine may keep a supervisor from its beat."""
RECORDS = [
    {"prompt": f"How much is {n} and {n}?", "chosen": f"{2 * n}", "rejected": f"It is {3 * n + 1}."} for n in range(24)
]
_TABLES = {"run": "id"} | dict.fromkeys(["run_metric", "run_keep", "run_test", "run_watch", "checkpoint"], "run_id")
_GATES = 8126
_MAKE_GATES = f"""
CREATE OR REPLACE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared({_GATES}, TG_ARGV[0]::int + coalesce((to_jsonb(NEW) ->> TG_ARGV[1])::int, 0));
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER gate BEFORE INSERT ON run_keep FOR EACH ROW EXECUTE FUNCTION wait_at_gate('0', 'step');
CREATE OR REPLACE TRIGGER gate BEFORE INSERT ON checkpoint FOR EACH ROW EXECUTE FUNCTION wait_at_gate('{PUBLISHING}', 'none');
CREATE OR REPLACE TRIGGER gate BEFORE INSERT ON run_test FOR EACH ROW EXECUTE FUNCTION wait_at_gate('{MEASURED}', 'none');
CREATE OR REPLACE TRIGGER gate BEFORE INSERT ON run_metric FOR EACH ROW EXECUTE FUNCTION wait_at_gate('{LOOKED}', 'step');
"""


def until(is_so: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    """Waits for a condition; a database that is starting again is asked again."""
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(psycopg.OperationalError, httpx.TransportError):
            if is_so():
                return
        assert time.monotonic() < deadline, f"it never came to that: {what}"
        time.sleep(0.1)


@dataclass
class Rows:
    """The tables of a place, asked without any code of the application. Each question has a connection of its own."""

    address: str

    def ask(self, statement: str, *values: Any) -> Any:
        """The first column of the first row; None when there is none."""
        rows = self.all(statement, *values)
        return rows[0][0] if rows else None

    def all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address, autocommit=True, connect_timeout=10) as connection:
            found = connection.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def make_gates(self) -> None:
        self.all(_MAKE_GATES)

    @contextmanager
    def gate(self, step: int) -> Iterator[Callable[[], None]]:
        """Closed until the function that is given is called, or the story ends."""
        connection = psycopg.connect(self.address, autocommit=True)
        connection.execute("SELECT pg_advisory_lock(%s, %s)", [_GATES, step])
        try:
            yield connection.close
        finally:
            connection.close()

    def waiting_at(self, step: int) -> int:
        """How many trainers stand before that gate, their files written and their transactions open."""
        waiting = "SELECT count(*) FROM pg_locks WHERE classid = %s AND objid = %s AND NOT granted"
        return int(self.ask(waiting, _GATES, step))

    def first_seen_at(self) -> Any:
        """When the trainer of the place itself last said that it lives."""
        return self.ask("SELECT last_seen_at FROM trainer ORDER BY id LIMIT 1")

    def run(self, run_id: int, *columns: str) -> Any:
        (row,) = self.all(f"SELECT {', '.join(columns)} FROM run WHERE id = %s", run_id)
        return row if len(columns) > 1 else row[0]

    def is_in(self, run_id: int, state: str) -> bool:
        found, error = self.run(run_id, "state", "error")
        assert found == state or found != "failed", error
        return bool(found == state)

    def let_lease_run_out(self, run_id: int, fence: int) -> None:
        """Time passes for a trainer that is gone, and for nobody else."""
        ended = (
            "UPDATE run SET lease_until = now() - interval '1 s' WHERE id = %s AND fence = %s AND lease_until > now()"
        )
        self.all(ended, run_id, fence)

    def weights(self, run_id: int) -> list[str]:
        """SHA-256 of `model.safetensors` in each checkpoint of a run, the oldest first."""
        return [
            next(file["sha256"] for file in files if file["path"] == "model.safetensors")
            for (files,) in self.all("SELECT files FROM checkpoint WHERE run_id = %s ORDER BY id", run_id)
        ]

    def curve(self, run_id: int) -> list[dict[str, Any]]:
        rows = self.all("SELECT step, values FROM run_metric WHERE run_id = %s ORDER BY step", run_id)
        return [{"step": step} | values for step, values in rows]

    def proved(self, run_id: int) -> set[str]:
        """The files of a run that rows name."""
        named = """SELECT prefix || '/' || (jsonb_array_elements(files) ->> 'path') FROM run_keep WHERE run_id = %s
            UNION ALL SELECT prefix || '/' || (jsonb_array_elements(files) ->> 'path') FROM checkpoint WHERE run_id = %s"""
        return {name for (name,) in self.all(named, run_id, run_id)}


@dataclass
class Place:
    home: Path
    storage: Path
    port: int = field(default_factory=free_port)
    token: str = ""
    lease_s: int = LEASE_S

    @property
    def environment(self) -> dict[str, str]:
        here = {"TIEBREAK_HOME": str(self.home), "PORT": str(self.port), "WEB_PROCESSES": "1", "PYTHONPATH": str(ROOT)}
        usual = {"PATH": os.environ["PATH"], "HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        return {**usual, "TRAINER_LEASE_S": str(self.lease_s), "STORAGE_URL": str(self.storage), **here}

    @contextmanager
    def up(self) -> Iterator[None]:
        """Served, and with a trainer; ended whatever happens in the stories."""
        command = [*tied(signal.SIGTERM), sys.executable, "-m", "tests.end_to_end.place"]
        out = self.home.with_name("up.log")
        with out.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            until(lambda: "Ctrl-C stops it" in out.read_text() or self.process.poll() is not None, "it serves")
            assert self.process.poll() is None, out.read_text()
            self.token = next(line for line in out.read_text().splitlines() if line.startswith("tbk_"))
            self.rows.make_gates()
            until(lambda: self.rows.ask("SELECT count(*) FROM trainer"), "a trainer is there")
            yield
        finally:
            end(self.process)

    @property
    def servers(self) -> dict[str, str]:
        noted = running(self.home) or {}
        found: dict[str, str] = noted["servers"]  # type: ignore[assignment]
        return found

    @property
    def rows(self) -> Rows:
        return Rows(self.servers["DATABASE_URL"].replace("+psycopg", ""))

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"http://127.0.0.1:{self.port}/api/v1{path}"
        return httpx.request(method, address, json=body, headers=headers, timeout=60)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        return self.ask(method, path, body).raise_for_status().json()

    def freeze(self) -> None:
        """A project, its judgments and a dataset `sums`."""
        self.api("POST", "/projects", {"slug": "sums", "name": "Sums", "kind": "pair"})
        assert self.api("POST", "/projects/sums/items", RECORDS)["judgments"] == len(RECORDS)
        self.api("POST", "/projects/sums/datasets", {"name": "sums", "split": {"test": 0.2, "seed": 0}})

    def order(self, **settings: Any) -> int:
        """The same run each time, but for its number."""
        usual = {"max_steps": STEPS, "save_steps": EACH, "groups_per_step": 4, "seed": 5}
        order = {"method": "sft", "dataset": "sums", "base_model": "blank", "name": "sums-sft"}
        until(self.is_ready, "the web server has found the database again")
        return int(self.api("POST", "/runs", order | {"settings": usual | settings})["id"])

    def is_ready(self) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=60).status_code == 200

    # --- its processes

    def child(self, *words: str) -> psutil.Process:
        """What `up` started with these words in its command."""
        (found,) = [one for one in alive(psutil.Process(self.process.pid).children()) if _says(one, words)]
        return found

    @property
    def worker(self) -> psutil.Process:
        return self.child("worker.main", "train")

    def trainer(self, run_id: int) -> psutil.Process:
        (found,) = [one for one in trainers_below(self.worker) if _says(one, ["--run", str(run_id)])]
        return found

    @property
    def postgres(self) -> psutil.Process:
        folder = (self.home / "servers").resolve() / "postgres"
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        return psutil.Process(pid)

    @property
    def redis(self) -> psutil.Process:
        (found,) = working_in((self.home / "servers").resolve(), "redis")
        return found

    @contextmanager
    def second_worker(self) -> Iterator[psutil.Process]:
        """Another trainer, as on a second machine, with the same database, broker and storage."""
        machine = Machine("second", self.home.with_name("second"), self.environment | self.servers)
        machine.start("train")
        try:
            yield psutil.Process(machine.processes["train"].pid)
        finally:
            machine.stop()

    def everything_about(self, run_id: int) -> dict[str, Any]:
        """Every row that tells of a run, and every file of it with its time."""
        whole = {
            table: self.rows.all(f"SELECT to_jsonb(t) FROM {table} t WHERE {column} = %s ORDER BY 1", run_id)
            for table, column in _TABLES.items()
        }
        return whole | {"files": {name: (self.storage / name).stat().st_mtime_ns for name in self.stored(run_id)}}

    def stored(self, run_id: int) -> set[str]:
        """Every file of a run that is in storage, whole or not."""
        kept, published = f"kept/run-{run_id}/**/*", f"checkpoints/*/run-{run_id}-*/**/*"
        found = [*self.storage.glob(kept), *self.storage.glob(published)]
        return {str(path.relative_to(self.storage)) for path in found if path.is_file()}


def trainers_below(worker: psutil.Process) -> list[psutil.Process]:
    """The processes that train for this worker; nobody else's runs of the same numbers."""
    with suppress(psutil.NoSuchProcess):
        return [one for one in alive(worker.children(recursive=True)) if _says(one, ["worker.train"])]
    return []


def alive(processes: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            if one.status() != psutil.STATUS_ZOMBIE:
                yield one


def is_gone(process: psutil.Process) -> bool:
    return not list(alive([process])) or not process.is_running()


def _says(process: psutil.Process, words: Sequence[str]) -> bool:
    with suppress(psutil.Error):
        command = process.cmdline()
        return all(word in command for word in words)
    return False


def main() -> None:
    """As `tiebreak up`, but the first start makes one admin and prints the token."""

    def prepare() -> list[str]:
        with work_unit() as session:
            people.add_user(session, "ada@example.org", role="admin")
            session.flush()
            return [people.make_token(session, session.scalars(select(User)).one(), SCOPES)]

    embedded.up(get_settings(), prepare)


if __name__ == "__main__":
    main()
