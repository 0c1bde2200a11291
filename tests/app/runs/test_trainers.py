"""The page of trainers, and what programs are told of them."""

from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import RunWatch, User
from tests.trained import make_preflight, make_run, make_trainer

GIB = 2**30
USAGE = {
    "memory": 16 * GIB,
    "memory_free": 4 * GIB,
    "cores": 8,
    "load": 1.5,
    "gpus": [{"name": "H100", "memory": 80 * GIB, "memory_free": 20 * GIB, "utilisation": 0.87}],
}


@pytest.fixture
def busy(ada: User) -> None:
    with db.work_unit() as session:
        make_trainer(session, "train@one").usage = USAGE
        make_trainer(session, "train@two", seen_s_ago=600)
        make_run(session, state="running", owner="train@one", step=10, total_steps=40)
        make_run(session)
        make_preflight(session)


def test_it_shows_who_lives_and_who_is_at_work(ada_browser: TestClient, busy: None):
    page = ada_browser.get("/trainers").text
    one, two = page.index("train@one"), page.index("train@two")
    assert one < page.index("alive") < page.index("25.0") < two < page.index("gone")
    assert 'href="/runs/1"' in page
    assert "H100" in page
    assert "87.0" in page
    assert "1.5 on 8 cores" in page


def test_programs_are_told_the_same(ada_api: TestClient, busy: None):
    told = ada_api.get("/api/v1/trainers").json()
    assert [(one["name"], one["is_live"]) for one in told["trainers"]] == [("train@one", True), ("train@two", False)]
    assert told["trainers"][0]["runs"] == [
        {"id": 1, "checkpoint_name": "pairs-dpo", "state": "running", "step": 10, "total_steps": 40}
    ]
    assert told["trainers"][0]["usage"]["memory_free"] == 4 * GIB
    assert {queue["name"]: queue["rows"] for queue in told["queues"]} == {"train": 1, "quick": 1, "app": None}


def test_without_a_trainer_it_says_how_to_start_one(ada_browser: TestClient):
    assert "tiebreak worker train" in ada_browser.get("/trainers").text


def test_a_run_shows_what_it_takes_and_the_end_of_its_log(ada_browser: TestClient, busy: None):
    usage = {"memory": GIB, "memory_peak": 2 * GIB, "processors": 1.75}
    with db.work_unit() as session:
        session.add(RunWatch(run_id=1, log="step 9 of 40: <loss> 0.5", usage=usage, told_at=datetime.now(UTC)))
    page = ada_browser.get("/runs/1").text
    assert "step 9 of 40: &lt;loss&gt; 0.5" in page
    assert "2.1\u00a0GB at most" in page
    assert "1.75 at work" in page
