"""A planned run that somebody asks about: claimed once, and answered for when its child could not."""

import sys
from typing import Any

import pytest
from sqlalchemy import Engine

from app import doorbell
from app.db import work_unit
from app.models import Preflight
from tests.trained import make_preflight
from worker import quick
from worker.quick import Command, claim, look_ahead
from worker.supervise import Lifeline

ANSWERING = """
import sys
from sqlalchemy import text
from app.db import work_unit
with work_unit() as session:
    session.execute(text("UPDATE preflight SET state = 'answered' WHERE id = :id AND attempt = :attempt"),
        {"id": int(sys.argv[1]), "attempt": int(sys.argv[2])})
"""
PATIENT = "import time; time.sleep(600)"


@pytest.fixture
def asked(silence: None, database: Engine) -> int:
    with work_unit() as session:
        return make_preflight(session).id


def program(source: str) -> Command:
    return lambda preflight_id, attempt: [sys.executable, "-c", source, str(preflight_id), str(attempt)]


def row(preflight_id: int) -> Preflight:
    with work_unit() as session:
        return session.get_one(Preflight, preflight_id)


def test_one_of_two_claims_it(asked: int):
    assert [claim(asked), claim(asked)] == [1, None]


def test_the_child_answers(asked: int):
    look_ahead(asked, Lifeline(), program(ANSWERING))
    assert (row(asked).state, row(asked).error) == ("answered", None)


def test_nothing_is_started_for_one_that_was_taken(asked: int):
    claim(asked)
    look_ahead(asked, Lifeline(), program("raise SystemExit('never')"))
    assert row(asked).state == "running"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
        ("raise SystemExit(3)", "ended by status 3"),
    ],
)
def test_a_child_that_died_without_a_word_is_spoken_for(asked: int, source: str, words: str):
    look_ahead(asked, Lifeline(), program(source))
    assert row(asked).state == "failed"
    assert words in (row(asked).error or "")


def test_a_child_that_takes_too_long_is_ended(asked: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quick, "LONGEST_S", 0.2)
    look_ahead(asked, Lifeline(), program(PATIENT))
    assert row(asked).state == "failed"
    assert "no answer within" in (row(asked).error or "")


def test_a_worker_that_is_told_to_stop_puts_it_back(asked: int):
    lifeline = Lifeline()
    lifeline.let_go()
    look_ahead(asked, lifeline, program(PATIENT))
    assert (row(asked).state, row(asked).attempt) == ("queued", 0)
    assert doorbell.messages_waiting("quick") == 1


def test_a_late_child_writes_nothing_over_the_next_attempt(asked: int):
    assert claim(asked) == 1
    quick.give_back(asked, 1)
    second: Any = claim(asked)
    quick.fail(asked, 7, "late")
    assert (row(asked).state, row(asked).attempt, row(asked).error) == ("running", second, None)
