"""How near a preflight's estimate comes to what then happens: steps, seconds and memory of each method on the sample data.

    python -m benchmarks.estimate [--methods sft reward …] [--cases default quick …]

A place of its own with everything that `make run` starts and makes: the starter is trained first, then each run is asked about and
ordered, one after the other, so that nothing but this machine's other work is beside them. Steps must be equal. Of seconds (from the start
of the trainer's process to the published checkpoint) and of memory (the highest that all processes of the run held together) the estimate is put over
what happened: within a factor of 1.5 means from 0.67 to 1.5. The last figures are the furthest from 1 of all runs, as a factor.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from app.settings import ROOT
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.servers import free_port

METHODS: Final = ("sft", "reward", "dpo", "grpo_offline")
QUICK: Final = {"max_steps": 30, "max_length": 256, "evaluate_every": 10, "sample_every": 10}
CASES: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "quick look": QUICK,
    "with looks midway": {"evaluate_every": 20, "sample_every": 20},
    "careful": {"epochs": 2, "groups_per_step": 64, "max_length": 2048, "too_long": "drop"},
    "quick, nobody looks": QUICK | {"evaluate_every": 0, "sample_every": 0},
    "default, 2 processes": {"processes": 2},
    "quick, 2 processes": QUICK | {"processes": 2},
}
DATASET: Final = "words-and-numbers-study"
FACTOR: Final = 1.5
LONGEST_S: Final = 3600
Json = dict[str, Any]


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tb-") as folder, place(Path(folder)) as (api, process):
        (starter,) = api.get("/runs").json()
        ended(api, starter["id"], process)
        rows = [compared(api, process, method, case) for method in told.methods for case in told.cases]
    report(rows)


@contextmanager
def place(folder: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """What `make run` starts, with a token for its admin."""
    folder.chmod(0o755)
    port, log = free_port(), folder / "up.log"
    environment = os.environ | {"TIEBREAK_HOME": str(folder / "home"), "PORT": str(port), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "app.cli"]
        process = subprocess.Popen([*command, "up"], cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        wait_for(lambda: "Ctrl-C stops it" in log.read_text() or process.poll() is not None, "it serves")
        scopes = ["--scopes", "read,train"]
        made = subprocess.run(
            [*command, "token", "create", "--user", "admin@localhost", *scopes],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        token = made.stdout.strip() or give_up(f"no token: {made.stderr}")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=600) as api:
            yield api, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def compared(api: httpx.Client, process: psutil.Process, method: str, case: str) -> Json:
    """A run as it was estimated and as it was."""
    order = {"method": method, "dataset": DATASET, "base_model": "starter", "settings": CASES[case]}
    asked = api.post("/runs/preflight", json=order).raise_for_status().json()
    wait_for(lambda: answer(api, asked["id"])["state"] not in {"queued", "running"}, "a preflight is answered")
    planned = answer(api, asked["id"])
    if planned["state"] != "answered":
        give_up(f"{method}, {case}: {planned['error']}")
    run = api.post("/runs", json=order).raise_for_status().json()
    highest = ended(api, run["id"], process)
    run = api.get(f"/runs/{run['id']}").json()
    seconds = (datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["started_at"])).total_seconds()
    found = {
        "run": f"{method}, {case}",
        "steps": (planned["answer"]["time"]["steps"], run["total_steps"]),
        "seconds": (planned["answer"]["time"]["seconds"], seconds),
        "MB": (planned["answer"]["memory"]["bytes"] / 1e6, highest / 1e6),
    }
    print(found, {name: round(value, 1) for name, value in planned["answer"]["time"]["parts"].items()}, flush=True)
    return found


def answer(api: httpx.Client, preflight: int) -> Json:
    found: Json = api.get(f"/runs/preflight/{preflight}").raise_for_status().json()
    return found


def ended(api: httpx.Client, run_id: int, process: psutil.Process) -> int:
    """Waits until the run has finished; returns the most that its processes held together, in bytes."""
    highest = 0

    def is_over() -> bool:
        nonlocal highest
        highest = max(highest, held_by(process, run_id))
        run = api.get(f"/runs/{run_id}").raise_for_status().json()
        if run["state"] in {"failed", "cancelled"}:
            give_up(f"run {run_id} has {run['state']}: {run['error']}")
        return bool(run["state"] == "finished")

    wait_for(is_over, f"run {run_id} has finished")
    return highest


def held_by(process: psutil.Process, run_id: int) -> int:
    """Resident now, by all trainer processes of the run; what each has held at most where Linux says so."""
    held = 0
    for one in process.children(recursive=True):
        with suppress(psutil.Error, OSError):
            words = one.cmdline()
            if (
                "worker.train" in words
                and words[words.index("--run") + 1] == str(run_id)
                and "worker.launch" not in words
            ):
                status = Path(f"/proc/{one.pid}/status").read_text()
                found = re.search(r"VmHWM:\s+(\d+) kB", status)
                held += int(found[1]) * 1024 if found else 0
    return held


def wait_for(is_so: Any, what: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while True:
        with suppress(httpx.TransportError):  # a machine that is busy may take its time over an answer
            if is_so():
                return
        if time.monotonic() > deadline:
            give_up(f"it never came to that: {what}")
        time.sleep(0.3)


def report(rows: list[Json]) -> None:
    names = ("steps", "seconds", "MB")
    print_table(
        ("run", *(f"{name} {side}" for name in names for side in ("told", "taken")), "seconds", "MB"),
        [
            (row["run"], *(f"{value:,.0f}" for name in names for value in row[name]), *(f"{ratio(row, name):.2f}" for name in names[1:]))
            for row in rows
        ],
    )  # fmt: skip
    off = {name: max(max(ratio(row, name), 1 / ratio(row, name)) for row in rows) for name in names}
    finish(
        "estimate",
        {
            "furthest_steps": Figure(off["steps"], 1.0, at_least=False),
            "furthest_seconds": Figure(off["seconds"], FACTOR, at_least=False),
            "furthest_memory": Figure(off["MB"], FACTOR, at_least=False),
        },
    )


def ratio(row: Json, name: str) -> float:
    told, taken = row[name]
    return float(told / taken)


if __name__ == "__main__":
    main()
