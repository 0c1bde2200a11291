"""Asking about a run before it is ordered."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import db, doorbell, jobs
from app.models import Preflight, User
from app.runs.preflight import forget_old_preflights, ring_for_waiting_preflights, take_back_preflights
from tests.trained import make_checkpoint, make_dataset, make_preflight, make_run, make_trainer

PLANNED = {"method": "dpo", "dataset": "pairs", "base_model": "starter", "settings": {"beta": 0.3}}


@pytest.fixture
def ready(ada: User, silence: None) -> None:
    with db.work_unit() as session:
        make_trainer(session)
        make_checkpoint(session, make_run(session, make_dataset(session), state="finished", checkpoint_name="starter"))


def test_it_asks_a_trainer_and_rings_its_quick_queue(ada_api: TestClient, ready: None):
    answer = ada_api.post("/api/v1/runs/preflight", json=PLANNED)
    asked = answer.json()
    assert answer.status_code == 202
    assert (asked["state"], asked["method"], asked["dataset_name"], asked["answer"]) == (
        "queued",
        "dpo",
        "pairs@v1",
        {},
    )
    assert asked["settings"]["beta"] == 0.3
    assert asked["settings"]["loss"] == "logistic", "all settings, those not given at their defaults"
    assert doorbell.messages_waiting("quick") == 1
    assert ada_api.get(answer.headers["location"]).json() == asked
    assert ada_api.get("/api/v1/runs").json()[0]["id"] == 1, "no run was ordered"


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"method": "banana"}, 422, "method"),
        ({"base_model": "nothing"}, 422, "base_model"),
        ({"base_model": "/etc"}, 422, "base_model"),
        ({"settings": {"beta": 1000}}, 422, "beta"),
        ({"dataset": "nothing"}, 404, None),
        ({"name": "a-checkpoint"}, 422, "name"),
    ],
)
def test_it_refuses_at_once_what_the_rows_can_tell(
    ada_api: TestClient, ready: None, given: dict[str, object], status: int, field: str | None
):
    answer = ada_api.post("/api/v1/runs/preflight", json=PLANNED | given)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert doorbell.messages_waiting("quick") == 0


def test_it_refuses_a_dataset_without_any_order(ada_api: TestClient, ready: None):
    with db.work_unit() as session:
        counts = {"train": {"prompts": 3, "groups": 3, "tuples": 0, "outcomes": {"all_bad": 3}}}
        make_dataset(session, "empty", counts)
    answer = ada_api.post("/api/v1/runs/preflight", json=PLANNED | {"dataset": "empty"})
    assert (answer.status_code, answer.json()["field"]) == (422, "dataset")


def test_it_says_that_no_trainer_is_there(ada_api: TestClient, ready: None):
    with db.work_unit() as session:
        session.execute(text("UPDATE trainer SET last_seen_at = now() - interval '1 hour'"))
    answer = ada_api.post("/api/v1/runs/preflight", json=PLANNED)
    assert (answer.status_code, answer.json()["title"]) == (503, "No trainer is running")


def test_it_knows_nothing_of_others(ada_api: TestClient):
    assert ada_api.get("/api/v1/runs/preflight/99").status_code == 404


def long_ago(session: Session, **told: object) -> Preflight:
    return make_preflight(session, state="running", started_at=datetime.now(UTC) - timedelta(hours=1), **told)


def test_the_sweep_takes_back_what_a_worker_dropped_once(session: Session):
    first, second = long_ago(session, attempt=1), long_ago(session, attempt=2)
    fresh = make_preflight(session, state="running", attempt=1, started_at=datetime.now(UTC))
    assert take_back_preflights(session) == 2
    for each in (first, second, fresh):
        session.refresh(each)
    assert [each.state for each in (first, second, fresh)] == ["queued", "failed", "running"]
    assert "went away twice" in (second.error or "")


def test_the_sweep_rings_for_those_that_wait(silence: None, ada: User):
    with db.work_unit() as session:
        make_preflight(session)
        make_preflight(session, state="answered")
    assert jobs.do(ring_for_waiting_preflights) == 0
    assert doorbell.messages_waiting("quick") == 1


def test_the_sweep_forgets_them_after_a_week(session: Session):
    make_preflight(session, created_at=datetime.now(UTC) - timedelta(days=8))
    make_preflight(session)
    assert forget_old_preflights(session) == 1
