"""Mirrors beside a real run: what they are told, and that a dead one harms nothing. Trainers and the library are small programs."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models import User
from app.settings import ROOT, get_settings
from tests.ordered import change_run, ordered_run, run_row
from worker import mirrors
from worker.supervise import Lifeline, supervise
from worker.trackers import refuse_what_is_missing

LIBRARY = """
import json, os, pathlib
PLACE = pathlib.Path(__file__).parent
class Settings:
    def __init__(self, **given): ...
class Run:
    def __init__(self):
        self.summary = {}
        told = PLACE / "told.jsonl"
        steps = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        self.starting_step = steps[-1]["step"] + 1 if steps else 0
    def log(self, values, step):
        with (PLACE / "told.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\\n")
    def mark_preempting(self):
        self.summary["preempting"] = True
    def finish(self, exit_code):
        with (PLACE / "ended.jsonl").open("a") as file:
            file.write(json.dumps({"exit_code": exit_code, **self.summary}) + "\\n")
def init(**given):
    if (PLACE / "down").exists():
        raise ConnectionError("nobody answers")
    (PLACE / "begun.json").write_text(json.dumps(given["id"]))
    return Run()
def teardown(): ...
"""
TRAINER = """
import json, sys
from sqlalchemy import text
from app.db import work_unit
run, fence = int(sys.argv[1]), int(sys.argv[2])
with work_unit() as session:
    session.execute(text("UPDATE run SET state = 'running' WHERE id = :id"), {"id": run})
first, state = (0, "queued") if fence == 1 else (3, "finished")
for step in range(first, first + 3):
    with work_unit() as session:
        session.execute(text("INSERT INTO run_metric (run_id, step, \\"values\\") VALUES (:run, :step, '{\\"loss\\": 0.5}')"),
            {"run": run, "step": step})
        session.execute(text("UPDATE run SET step = :done WHERE id = :run"), {"run": run, "done": step + 1})
with work_unit() as session:
    session.execute(text("UPDATE run SET state = :state WHERE id = :id"), {"id": run, "state": state})
"""


@pytest.fixture
def library(silence: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a module `wandb` lies that keeps what it is told in files."""
    (tmp_path / "wandb.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("MIRRORS", "wandb:capitals")
    get_settings.cache_clear()
    shutil.rmtree(get_settings().home / "runs", ignore_errors=True)
    yield tmp_path
    monkeypatch.undo()
    get_settings.cache_clear()


def train(run_id: int) -> None:
    command = [sys.executable, "-c", TRAINER]
    supervise(run_id, owner="t@here", lifeline=Lifeline(), command=lambda run, fence: [*command, str(run), str(fence)])


def lines(file: Path, count: int) -> list[dict[str, object]]:
    """Once it has so many: mirrors go on while the trainer takes its next run."""
    deadline = time.monotonic() + 240
    while True:
        found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def test_a_run_and_the_attempt_after_it_are_one_run_there(ada: User, library: Path):
    run_id = ordered_run(ada)
    train(run_id)
    assert lines(library / "ended.jsonl", 1) == [{"exit_code": 1, "tiebreak_state": "queued", "preempting": True}]
    begun = (library / "begun.json").read_text()
    train(run_id)
    assert lines(library / "ended.jsonl", 2)[1] == {"exit_code": 0, "tiebreak_state": "finished"}
    assert [line["step"] for line in lines(library / "told.jsonl", 6)] == [0, 1, 2, 3, 4, 5]
    assert begun == (library / "begun.json").read_text()
    assert f"tiebreak-{run_id}-" in begun


def test_a_dead_server_neither_holds_a_run_nor_the_next_one(
    ada: User, library: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(mirrors, "LONGEST_GOODBYE_S", 0.0)
    (library / "down").touch()
    run_id = ordered_run(ada)
    change_run(run_id, "fence = 1")
    train(run_id)
    assert run_row(run_id, ["state", "error"]) == ("finished", None)
    for thread in [each for each in threading.enumerate() if each.name.startswith("mirror-")]:
        thread.join(240)
    assert f"run {run_id} is not mirrored whole to wandb:capitals" in caplog.text
    assert f"python -m worker.mirror {run_id} wandb:capitals" in caplog.text
    (library / "down").unlink()
    later = [sys.executable, "-m", "worker.mirror", str(run_id), "wandb:capitals"]
    subprocess.run(later, stdin=subprocess.DEVNULL, check=True, cwd=ROOT)
    assert [line["step"] for line in lines(library / "told.jsonl", 3)] == [3, 4, 5]
    assert lines(library / "ended.jsonl", 1) == [{"exit_code": 0, "tiebreak_state": "finished"}]


def test_a_worker_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch, silence: None):
    monkeypatch.setenv("MIRRORS", "mlflow:http://host:5000")
    monkeypatch.setattr("worker.trackers.find_spec", lambda _: None)
    get_settings.cache_clear()
    try:
        with pytest.raises(SystemExit, match="pip install mlflow-skinny"):
            refuse_what_is_missing()
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
