"""Several runs at once, and runs done again with changes."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import db, doorbell
from app.errors import BadInput
from app.models import Run, User
from app.runs.methods import read_methods
from app.runs.sweep import MOST_RUNS, named, read_vary, variants
from tests.trained import METHODS, make_checkpoint, make_dataset, make_run, make_trainer

DPO = read_methods(METHODS)[2]
ORDER = {"method": "dpo", "dataset": "pairs", "settings": {"max_steps": 4}}


@pytest.fixture
def ready(ada: User, silence: None) -> None:
    with db.work_unit() as session:
        make_trainer(session)
        done = make_run(session, make_dataset(session), state="finished", checkpoint_name="starter")
        make_checkpoint(session, done)


def runs() -> list[Run]:
    with db.work_unit() as session:
        return list(session.scalars(select(Run).order_by(Run.id)))[1:]


def test_it_makes_every_combination_each_named_after_its_values():
    found = variants(DPO, "pairs-dpo", {"beta": [0.1, 0.3], "seed": [1, 2]})
    assert [variant.name for variant in found] == [
        "pairs-dpo.beta-0.1.seed-1",
        "pairs-dpo.beta-0.1.seed-2",
        "pairs-dpo.beta-0.3.seed-1",
        "pairs-dpo.beta-0.3.seed-2",
    ]
    assert found[3].settings == {"beta": 0.3, "seed": 2}


def test_a_long_name_keeps_the_values_and_loses_of_its_beginning():
    name = named("a" * 96, {"learning_rate": 1e-6})
    assert len(name) == 96
    assert name.endswith(".learning_rate-1e-06")


@pytest.mark.parametrize(
    ("vary", "field"),
    [
        ({}, "vary"),
        ({"beta": []}, "vary"),
        ({"seed": list(range(MOST_RUNS + 1))}, "vary"),
        ({"beta": [0.1, 0.2, 0.3], "seed": [1, 2, 3, 4, 5, 6]}, "vary"),
        ({"beta": [0.1], "seed": [1], "max_steps": [2]}, "vary"),
        ({"beta": [0.1, 0.1]}, "vary"),
        ({"colour": ["red"]}, "colour"),
        ({"beta": [0.1, 1000]}, "beta"),
        ({"loss": ["hinge", "banana"]}, "loss"),
    ],
)
def test_it_says_what_no_sweep_can_be(vary: dict[str, list[Any]], field: str):
    with pytest.raises(BadInput) as told:
        variants(DPO, "pairs-dpo", vary)
    assert told.value.field == field


def test_values_are_read_as_people_type_them():
    assert read_vary({"beta": "0.05, 0.1 1", "loss": "hinge;logistic", "": "3"}, DPO) == {
        "beta": [0.05, 0.1, 1],
        "loss": ["hinge", "logistic"],
    }


def test_it_queues_all_runs_of_a_sweep(ada_api: TestClient, ready: None):
    answer = ada_api.post("/api/v1/runs/sweep", json=ORDER | {"vary": {"beta": [0.1, 0.3]}, "priority": 3})
    assert answer.status_code == 202, answer.text
    assert [run["checkpoint_name"] for run in answer.json()] == ["pairs-dpo.beta-0.1", "pairs-dpo.beta-0.3"]
    assert [(run["settings"]["beta"], run["priority"]) for run in answer.json()] == [(0.1, 3), (0.3, 3)]
    assert {run["settings"]["max_steps"] for run in answer.json()} == {4}
    assert doorbell.messages_waiting("train") == 2


def test_it_queues_none_where_one_cannot_be(ada_api: TestClient, ready: None):
    answer = ada_api.post("/api/v1/runs/sweep", json=ORDER | {"vary": {"beta": [0.1, 1000]}})
    assert (answer.status_code, answer.json()["field"]) == (422, "beta")
    assert runs() == []


def test_it_does_a_run_again_with_changes(ada_api: TestClient, ready: None):
    first = ada_api.post("/api/v1/runs", json=ORDER | {"settings": {"max_steps": 4, "beta": 0.3}}).json()
    answer = ada_api.post(f"/api/v1/runs/{first['id']}/again", json={"settings": {"max_steps": 9}})
    again = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/runs/{again['id']}"
    assert again["settings"] == first["settings"] | {"max_steps": 9}
    for same in ("method", "dataset", "base_model", "checkpoint_name"):
        assert again[same] == first[same]


def test_a_run_that_is_done_again_leaves_out_settings_that_are_gone(ada_api: TestClient, ready: None):
    with db.work_unit() as session:
        old = make_run(session, settings={"beta": 0.3, "gone": 1}).id
    again = ada_api.post(f"/api/v1/runs/{old}/again", json={}).json()
    assert again["settings"]["beta"] == 0.3
    assert "gone" not in again["settings"]
    other = ada_api.post(f"/api/v1/runs/{old}/again", json={"method": "sft"}).json()
    assert other["method"] == "sft"
    assert "beta" not in other["settings"]


def test_a_run_that_waits_can_be_moved(ada_api: TestClient, ada_browser: TestClient, ready: None):
    first, second = (ada_api.post("/api/v1/runs", json=ORDER).json()["id"] for _ in range(2))
    moved = ada_api.post(f"/api/v1/runs/{second}/priority", json={"priority": -1})
    assert (moved.status_code, moved.json()["priority"]) == (200, -1)
    assert "A trainer is about to take it." in ada_browser.get(f"/runs/{second}").text
    assert "Waits behind 1 other run." in ada_browser.get(f"/runs/{first}").text


@pytest.mark.parametrize("priority", [101, -101, 10**30])
def test_it_names_the_bounds_of_a_priority(ada_api: TestClient, ready: None, priority: int):
    run = ada_api.post("/api/v1/runs", json=ORDER).json()["id"]
    refused = ada_api.post(f"/api/v1/runs/{run}/priority", json={"priority": priority})
    assert (refused.status_code, refused.json()["field"]) == (422, "priority")
    assert ada_api.post("/api/v1/runs", json=ORDER | {"priority": priority}).status_code == 422


def test_a_run_that_waits_no_longer_has_no_place_to_change(ada_api: TestClient, ready: None):
    answer = ada_api.post("/api/v1/runs/1/priority", json={"priority": 1})
    assert (answer.status_code, "finished" in answer.json()["detail"]) == (409, True)
