"""The whole log of a run in rows, whatever its machine has in files."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app import db
from app.models import Run, RunLog, User
from app.runs.log import log_of
from tests.trained import make_run
from worker import log_copy
from worker.lease import Claim
from worker.log_copy import LogCopy


@pytest.fixture
def held(ada: User) -> Claim:
    with db.work_unit() as session:
        run = make_run(session, state="running", fence=3, owner="train@here")
        return Claim(run.id, 3, 1)


def whole(run_id: int) -> str:
    with db.work_unit() as session:
        return log_of(session, session.get_one(Run, run_id))


def told(run_id: int) -> str:
    with db.work_unit() as session:
        pieces = select(RunLog.words).where(RunLog.run_id == run_id).order_by(RunLog.fence, RunLog.place)
        return "".join(session.scalars(pieces))


def say(log: Path, words: bytes) -> None:
    with log.open("ab") as file:
        file.write(words)


def passed_on(held: Claim, owner: str) -> Claim:
    with db.work_unit() as session:
        run = session.get_one(Run, held.run_id)
        run.fence, run.owner = held.fence + 1, owner
    return Claim(held.run_id, held.fence + 1, held.attempt)


def test_all_attempts_are_there_also_from_machines_that_are_gone(held: Claim, tmp_path: Path):
    """The second is on the same machine and did not count as one, so both write into the same file."""
    log = tmp_path / "log.txt"
    first = LogCopy(held, log)
    say(log, "loading\nstep 1: loss ½".encode()[:-1])
    assert first.go_on() is False
    say(log, "½".encode()[-1:] + b"\nstep 2\0")
    first.go_on()
    again = passed_on(held, "train@here")
    second = LogCopy(again, log)
    say(log, b"step 2\n")
    second.go_on()
    third = LogCopy(passed_on(again, "train@there"), tmp_path / "other.txt")
    third.go_on()
    say(tmp_path / "other.txt", b"step 3\n")
    third.go_on()
    lines = whole(held.run_id).splitlines()
    assert [line for line in lines if not line.startswith("== ")] == [
        "loading",
        "step 1: loss ½",
        "step 2�",
        "step 2",
        "step 3",
    ]
    heads = [line for line in lines if line.startswith("== ")]
    assert [head.split(", ")[0] for head in heads] == ["== attempt 1 on train@here"] * 2 + [
        "== attempt 1 on train@there"
    ]


def test_who_has_lost_the_run_copies_nothing(held: Claim, tmp_path: Path):
    log = tmp_path / "log.txt"
    slow = LogCopy(held, log)
    passed_on(held, "train@there")
    say(log, b"I believe that it is mine\n")
    slow.go_on()
    assert told(held.run_id) == ""


def test_a_piece_whose_answer_was_lost_is_stored_once(held: Claim, tmp_path: Path):
    log = tmp_path / "log.txt"
    mine = LogCopy(held, log)
    say(log, b"one\n")
    mine.go_on()
    mine.place, mine.waiting = 0, "one\n"
    say(log, b"two\n")
    mine.go_on()
    assert told(held.run_id) == "one\ntwo\n"


def test_of_a_log_without_end_the_beginning_is_kept_and_its_end(
    held: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log_copy, "LONGEST_LOG", 20)
    monkeypatch.setattr(log_copy, "MOST_AT_ONCE_BYTES", 8)
    log = tmp_path / "log.txt"
    mine = LogCopy(held, log)
    say(log, b"step 1\nstep 2\nstep 3\nstep 4\n")
    while mine.go_on():
        pass
    assert told(held.run_id) == "step 1\nstep 2\nstep 3"
    resumed = passed_on(held, "train@there")
    say(tmp_path / "other", b"step 5\n")
    LogCopy(resumed, tmp_path / "none").go_on()
    assert told(held.run_id) == "step 1\nstep 2\nstep 3"
