"""`tiebreak train`: ordering, and asking, from a command line."""

import threading
import time
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from app import db
from app.cli import main
from app.models import Preflight, Run, User
from app.runs import command
from tests.trained import make_checkpoint, make_dataset, make_run, make_trainer

ANSWER = {
    "started_from": "starter v1",
    "device": "CPU, 2 threads",
    "parameters": 1_014_720,
    "learning": 1_014_720,
    "groups": {"train": 30, "used": 30, "looked_at": 30, "test": 10},
    "lengths": {name: {"median": 12, "longest": 40} for name in ("prompt", "response", "together")},
    "truncation": {"prompts_cut": 3, "responses_cut": 0, "groups_dropped": 1},
    "time": {"seconds": 75.0, "steps": 40, "seconds_per_step": 1.5, "parts": {}},
    "memory": {"bytes": 600_000_000, "available": 4_000_000_000, "fits": True},
}


@pytest.fixture(autouse=True)
def ready(ada: User, silence: None) -> None:
    with db.work_unit() as session:
        make_trainer(session)
        make_checkpoint(session, make_run(session, make_dataset(session), state="finished", checkpoint_name="starter"))


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["train", "dpo", "pairs", *words])
    return done.exit_code, done.output.strip()


def runs() -> list[Run]:
    with db.work_unit() as session:
        return list(session.scalars(select(Run).where(Run.state == "queued").order_by(Run.id)))


def test_it_orders_a_run():
    code, words = said("--set", "beta=0.3", "--set", "loss=hinge", "--name", "own", "--priority", "-2")
    assert (code, words.startswith("run 2 (own) is queued")) == (0, True)
    (run,) = runs()
    assert (run.settings["beta"], run.settings["loss"], run.priority, run.checkpoint_name) == (0.3, "hinge", -2, "own")


def test_it_orders_a_sweep():
    code, words = said("--vary", "beta=0.1,0.3", "--vary", "seed=1,2")
    assert (code, len(words.splitlines())) == (0, 4)
    assert {(run.settings["beta"], run.settings["seed"]) for run in runs()} == {(0.1, 1), (0.1, 2), (0.3, 1), (0.3, 2)}


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "beta=1000"),
        ("--vary", "beta"),
        ("--vary", "beta=1000,2"),
        ("--base", "none"),
        ("--check", "--base", "x"),
    ],
)
def test_it_refuses_in_words_what_a_page_would_refuse(words: tuple[str, ...]):
    code, told = said(*words)
    assert (code, told.startswith("Error: ")) == (1, True)
    assert runs() == []


def answered(**values: Any) -> threading.Thread:
    """Somebody who answers the question as soon as it is there."""

    def answer() -> None:
        for _ in range(1000):
            with db.work_unit() as session:
                if session.scalar(update(Preflight).values(**values).returning(Preflight.id)):
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_it_asks_what_a_run_would_take_and_orders_nothing():
    thread = answered(state="answered", answer=ANSWER)
    code, words = said("--check")
    thread.join()
    assert code == 0
    assert "about 1 min 15 s for 40 steps" in words
    assert "3 prompts and 0 responses are cut, 1 groups are dropped" in words
    assert runs() == []


def test_it_says_why_a_run_cannot_work():
    thread = answered(state="refused", error="The base model's tokenizer has no end token.", error_field="base_model")
    code, words = said("--check")
    thread.join()
    assert (code, words) == (1, "Error: The base model's tokenizer has no end token.")


def test_it_says_that_nobody_looks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "PATIENCE_S", 0.0)
    code, words = said("--check")
    assert (code, "tiebreak worker quick" in words) == (1, True)
