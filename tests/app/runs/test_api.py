"""Runs for programs."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import User
from tests.conftest import token_client
from tests.trained import add_metrics, make_checkpoint, make_dataset, make_run, make_trainer

ORDER = {"method": "reward", "dataset": 1, "base_model": "starter", "settings": {"max_steps": 4, "seed": 0}}


@pytest.fixture
def ready(ada: User) -> None:
    """A dataset (id 1), a starter (run 1) and a live trainer."""
    with db.work_unit() as session:
        make_trainer(session)
        make_checkpoint(session, make_run(session, make_dataset(session), state="finished", checkpoint_name="starter"))


def test_it_orders_a_run(ada_api: TestClient, ready: None):
    answer = ada_api.post("/api/v1/runs", json=ORDER)
    run = answer.json()
    assert answer.status_code == 202
    assert (run["state"], run["method"], run["dataset"], run["checkpoint"]) == ("queued", "reward", 1, None)
    assert run["settings"]["max_steps"] == 4
    assert len(run["dataset_sha256"]) == 64
    assert ada_api.get(answer.headers["location"]).json() == run


@pytest.mark.parametrize("dataset", [1, "pairs", "pairs@v1", "1"])
def test_it_finds_the_dataset_by_id_or_name(ada_api: TestClient, ready: None, dataset: int | str):
    assert ada_api.post("/api/v1/runs", json=ORDER | {"dataset": dataset}).json()["dataset_name"] == "pairs@v1"


def test_it_names_the_known_methods(ada_api: TestClient, ready: None):
    answer = ada_api.post("/api/v1/runs", json=ORDER | {"method": "banana"})
    assert answer.status_code == 422
    assert "dpo, reward, sft" in answer.json()["detail"]


def test_it_says_that_no_trainer_is_there(ada_api: TestClient):
    with db.work_unit() as session:
        make_dataset(session)
    answer = ada_api.post("/api/v1/runs", json=ORDER)
    assert (answer.status_code, answer.json()["title"]) == (503, "No trainer is running")


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"settings": {"beta": 0.1}}, 422, "beta"),
        ({"settings": {"seed": "x"}}, 422, "seed"),
        ({"settings": []}, 422, "settings"),
        ({"base_model": "nothing"}, 422, "base_model"),
        ({"base_model": "/\0"}, 422, "base_model"),
        ({"name": "No"}, 422, "name"),
        ({"colour": "red"}, 422, "colour"),
        ({"dataset": 99}, 404, None),
        ({"dataset": "nothing"}, 404, None),
        ({"dataset": "pairs@v9"}, 404, None),
        ({"dataset": "pairs@vx"}, 422, None),
        ({"dataset": "9" * 5000}, 404, None),
        ({"dataset": "pairs@v" + "9" * 5000}, 422, None),
    ],
)
def test_it_names_what_is_wrong(
    ada_api: TestClient, ready: None, given: dict[str, Any], status: int, field: str | None
):
    answer = ada_api.post("/api/v1/runs", json=ORDER | given)
    assert (answer.status_code, answer.json().get("field")) == (status, field)


def test_it_lists_runs_newest_first_in_pages(ada_api: TestClient, ready: None):
    for _ in range(2):
        ada_api.post("/api/v1/runs", json=ORDER)
    first = ada_api.get("/api/v1/runs?limit=2")
    assert [run["id"] for run in first.json()] == [3, 2]
    assert [run["id"] for run in ada_api.get(first.links["next"]["url"]).json()] == [1]
    assert ada_api.get("/api/v1/runs/1").json()["checkpoint"] == 1


def test_it_tells_what_each_step_measured(ada_api: TestClient, ready: None):
    with db.work_unit() as session:
        add_metrics(session, make_run(session), n=5)
    everything = ada_api.get("/api/v1/runs/2/metrics").json()
    assert [one["step"] for one in everything] == [0, 1, 2, 3, 4]
    assert everything[0]["loss"] == 0.6931
    first = ada_api.get("/api/v1/runs/2/metrics?limit=3")
    assert first.json() == everything[:3]
    assert ada_api.get(first.links["next"]["url"]).json() == everything[3:]
    assert ada_api.get("/api/v1/runs/1/metrics").json() == []
    few = ada_api.get("/api/v1/runs/2/metrics?downsample=2").json()
    assert [one["step"] for one in few] == [2, 4]
    assert few[1]["loss"] == pytest.approx((everything[3]["loss"] + everything[4]["loss"]) / 2)
    assert ada_api.get("/api/v1/runs/2/metrics?downsample=0").status_code == 422


def test_it_says_of_one_run_what_looks_wrong(ada_api: TestClient, ready: None):
    with db.work_unit() as session:
        make_run(session, state="finished", results={"after": {"pairs": 0}})
    (finding,) = ada_api.get("/api/v1/runs/2").json()["diagnosis"]
    assert (finding["name"], finding["is_grave"]) == ("no_pairs", False)
    assert finding["advice"] == "Freeze the dataset with a larger test share."
    assert ada_api.get("/api/v1/runs/1").json()["diagnosis"] == []
    assert [run["diagnosis"] for run in ada_api.get("/api/v1/runs").json()] == [None, None]


def test_it_cancels_a_run(ada_api: TestClient, ready: None):
    run = ada_api.post("/api/v1/runs", json=ORDER).json()
    answer = ada_api.post(f"/api/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert ada_api.post("/api/v1/runs/1/cancel").status_code == 409


READS = ["/api/v1/runs", "/api/v1/runs/1", "/api/v1/runs/1/metrics"]
WRITES = ["/api/v1/runs", "/api/v1/runs/1/cancel"]


def test_it_is_not_for_annotators(ben: User, ready: None):
    ben_api = token_client(ben, "judge", "read", "train")
    assert [ben_api.get(path).status_code for path in READS] == [403] * 3
    assert [ben_api.post(path, json=ORDER).status_code for path in WRITES] == [403] * 2


def test_it_is_not_for_nobody(nobody: TestClient, ready: None):
    assert [nobody.get(path).status_code for path in READS] == [401] * 3
    assert [nobody.post(path, json=ORDER).status_code for path in WRITES] == [401] * 2


def test_it_wants_the_scope_to_train(ada: User, ready: None):
    reader = token_client(ada, "read")
    assert [reader.get(path).status_code for path in READS] == [200] * 3
    assert [reader.post(path, json=ORDER).status_code for path in WRITES] == [403] * 2


@pytest.mark.parametrize("path", ["/api/v1/runs/9", "/api/v1/runs/9/metrics"])
def test_it_says_when_there_is_no_such_run(ada_api: TestClient, path: str):
    assert ada_api.get(path).status_code == 404
    assert ada_api.post("/api/v1/runs/9/cancel").status_code == 404
