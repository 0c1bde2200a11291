"""What a supervisor tells beside the lease."""

import os
from pathlib import Path

import pytest
from sqlalchemy import select

from app import db
from app.models import Run, RunLog, RunWatch, User
from tests.trained import make_run
from worker import watching
from worker.lease import Claim
from worker.log_copy import LogCopy
from worker.usage import ProcessUsage, of_machine, read_gpus
from worker.watching import TAIL_BYTES, TAIL_LINES, Watcher, tail

SMI = """0, GPU-aa, NVIDIA H100 80GB HBM3, 81559, 81000, 3
1, GPU-bb, NVIDIA H100 80GB HBM3, 81559, 1000, [N/A]
"""


@pytest.fixture
def held(ada: User) -> Claim:
    with db.work_unit() as session:
        run = make_run(session, state="running", fence=3, owner="train@here")
        return Claim(run.id, 3, 1)


def watcher(held: Claim, log: Path) -> Watcher:
    return Watcher(held, log, LogCopy(held, log), os.getpid(), {})


def told(held: Claim) -> RunWatch | None:
    with db.work_unit() as session:
        return session.get(RunWatch, held.run_id)


def test_it_tells_the_end_of_the_log_and_what_the_process_takes(held: Claim, tmp_path: Path):
    log = tmp_path / "log.txt"
    mine = watcher(held, log)
    log.write_text("first\nsecond\n")
    mine.look()
    row = told(held)
    assert row is not None
    assert row.log == "first\nsecond"
    with db.work_unit() as session:
        assert session.scalars(select(RunLog.words)).all() == ["first\nsecond\n"]
    assert row.usage["memory"] > 10_000_000
    assert row.usage["memory_peak"] >= row.usage["memory"]


def test_it_tells_at_most_every_few_seconds_and_the_end_in_any_case(
    held: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "TELL_EVERY_S", 3600)
    log = tmp_path / "log.txt"
    log.write_text("first\n")
    mine = watcher(held, log)
    mine.look()
    log.write_text("first\nlast\n")
    mine.look()
    row = told(held)
    assert row is not None
    assert row.log == "first"
    mine.last()
    row = told(held)
    assert row is not None
    assert row.log == "first\nlast"
    assert row.usage["memory"] > 0


def test_whoever_has_lost_the_run_tells_nothing(held: Claim, tmp_path: Path):
    with db.work_unit() as session:
        session.get_one(Run, held.run_id).fence = 4
    watcher(held, tmp_path / "log.txt").look()
    assert told(held) is None


def test_a_long_log_is_cut_at_a_line(tmp_path: Path):
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    lines = tail(log).splitlines()
    assert lines[-1] == "line 99999"
    assert len(lines) == TAIL_LINES
    log.write_bytes(b"x" * TAIL_BYTES + b"\n\xff\0ok\n")
    assert tail(log) == "��ok"


def test_a_log_that_is_not_there_has_no_end(tmp_path: Path):
    assert tail(tmp_path / "none") == ""


def test_gpus_are_those_that_the_run_may_use():
    assert [gpu["memory_free"] for gpu in read_gpus(SMI)] == [81000 * 2**20, 1000 * 2**20]
    (second,) = read_gpus(SMI, "GPU-bb")
    assert second == {"name": "NVIDIA H100 80GB HBM3", "memory": 81559 * 2**20, "memory_free": 1000 * 2**20}
    assert read_gpus(SMI, "0")[0]["utilisation"] == 0.03


def test_a_process_that_has_gone_takes_nothing():
    usage = ProcessUsage(2**22 + 1, {"CUDA_VISIBLE_DEVICES": ""})
    assert usage.now() == {"memory": 0, "memory_peak": 0, "processors": 0.0}


def test_a_machine_tells_what_is_free():
    told = of_machine()
    assert 0 < told["memory_free"] <= told["memory"]
