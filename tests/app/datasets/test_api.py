"""Datasets for programs."""

import hashlib
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import Membership, User
from tests.conftest import token_client
from tests.judged import add_item, judge, judged_pairs

ORDER = {"name": "pairs", "split": {"test": 0.25, "seed": 0}}


@pytest.fixture
def pairs(ada: User) -> str:
    with db.work_unit() as session:
        return judged_pairs(session, 40).slug


@pytest.fixture
def frozen(ada_api: TestClient, pairs: str) -> dict[str, Any]:
    answer = ada_api.post(f"/api/v1/projects/{pairs}/datasets", json=ORDER)
    assert answer.status_code == 201
    return answer.json()


def test_it_freezes_with_sum_and_counts(frozen: dict[str, Any]):
    assert (frozen["name"], frozen["version"], frozen["project"]) == ("pairs", 1, "pairs")
    assert len(frozen["sha256"]) == 64
    assert frozen["counts"]["train"]["groups"] + frozen["counts"]["test"]["groups"] == 40
    files = [
        f"{folder}{side}.{kind}"
        for folder in ("preference/", "")
        for side in ("test", "train")
        for kind in ("jsonl", "parquet")
    ]
    assert [file["path"] for file in frozen["files"]] == files
    assert frozen["split"] == {"by": "prompt", "test": 0.25, "seed": 0}


def test_it_answers_200_with_the_same_version_when_nothing_changed(
    ada_api: TestClient, pairs: str, frozen: dict[str, Any]
):
    answer = ada_api.post(f"/api/v1/projects/{pairs}/datasets", json=ORDER)
    assert (answer.status_code, answer.json()) == (200, frozen)


def test_it_is_what_the_list_and_the_page_say(ada_api: TestClient, frozen: dict[str, Any]):
    assert ada_api.get("/api/v1/datasets").json() == [frozen]
    for name, shown in ((frozen["name"], [frozen]), ("another", [])):
        assert ada_api.get("/api/v1/datasets", params={"name": name}).json() == shown
    assert ada_api.get(f"/api/v1/datasets/{frozen['id']}").json() == frozen


def test_it_sends_the_files_as_they_were_hashed(ada_api: TestClient, frozen: dict[str, Any]):
    for file in frozen["files"]:
        answer = ada_api.get(f"/api/v1/datasets/{frozen['id']}/files/{file['path']}")
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
        assert len(answer.content) == file["size"]


def test_it_sends_a_range_of_a_file(ada_api: TestClient, frozen: dict[str, Any]):
    address = f"/api/v1/datasets/{frozen['id']}/files/train.parquet"
    part = ada_api.get(address, headers={"Range": "bytes=4-19"})
    assert (part.status_code, part.content) == (206, ada_api.get(address).content[4:20])
    assert ada_api.head(address).status_code == 200


@pytest.mark.parametrize("path", ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "nothing.jsonl", "train.jsonl/x"])
def test_it_has_no_other_files(ada_api: TestClient, frozen: dict[str, Any], path: str):
    assert ada_api.get(f"/api/v1/datasets/{frozen['id']}/files/{path}").status_code == 404


def test_it_pages_through_the_list(ada_api: TestClient, pairs: str):
    for name in ("one", "two", "three"):
        ada_api.post(f"/api/v1/projects/{pairs}/datasets", json=ORDER | {"name": name})
    first = ada_api.get("/api/v1/datasets?limit=2")
    assert [each["name"] for each in first.json()] == ["three", "two"]
    rest = ada_api.get(first.links["next"]["url"])
    assert [each["name"] for each in rest.json()] == ["one"]
    assert "next" not in rest.links


def test_it_reads_all_rows_of_a_larger_project(ada_api: TestClient, pairs: str):
    """More rows than the cursor fetches at once, and a prompt asked about several times."""
    with db.work_unit() as session:
        project = judged_pairs(session, 300, "large")
        for number in range(300):
            judge(session, add_item(session, project, f"Question {number % 7}?", [f"x{number}", "y"]), [2, 1])
    dataset = ada_api.post("/api/v1/projects/large/datasets", json={"name": "large"}).json()
    text = [ada_api.get(f"/api/v1/datasets/{dataset['id']}/files/{side}.jsonl").text for side in ("train", "test")]
    assert len({json.loads(line)["judgment"] for one in text for line in one.splitlines()}) == 600


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "Not so"}, "name"),
        ({"name": "a", "split": {"test": 2}}, "split.test"),
        ({"name": "a", "split": {"test": "much"}}, "split.test"),
        ({"name": "a", "split": {"seed": 10**30}}, "split.seed"),
        ({"name": "a", "split": {"by": "metadata.split"}}, "split"),
        ({"name": "a", "split": {"why": 1}}, "split.why"),
        ({"name": "a", "filters": {"outcomes": ["skip"]}}, "filters.outcomes.0"),
        ({"name": "a", "filters": {"tags": ["nobody has it"]}}, "filters"),
        ({"name": "a", "filters": {"first_day": "2026-11-02", "last_day": "2026-11-01"}}, "filters.first_day"),
    ],
)
def test_it_names_the_field_that_is_wrong(ada_api: TestClient, pairs: str, body: dict[str, Any], field: str):
    answer = ada_api.post(f"/api/v1/projects/{pairs}/datasets", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_it_is_not_for_annotators_even_members(ada_api: TestClient, ben: User, frozen: dict[str, Any]):
    with db.work_unit() as session:
        session.add(Membership(user_id=ben.id, project_id=1))
    ben_api = token_client(ben, "judge", "read", "export")
    address = f"/api/v1/datasets/{frozen['id']}"
    assert ben_api.post("/api/v1/projects/pairs/datasets", json=ORDER).status_code == 403
    for path in ("/api/v1/datasets", address, f"{address}/files/train.jsonl"):
        assert ben_api.get(path).status_code == 403


def test_it_is_not_for_nobody(nobody: TestClient, frozen: dict[str, Any]):
    address = f"/api/v1/datasets/{frozen['id']}"
    assert nobody.post("/api/v1/projects/pairs/datasets", json=ORDER).status_code == 401
    for path in ("/api/v1/datasets", address, f"{address}/files/train.jsonl"):
        assert nobody.get(path).status_code == 401


def test_it_wants_the_right_scope(ada: User, frozen: dict[str, Any]):
    reader = token_client(ada, "read")
    assert reader.get(f"/api/v1/datasets/{frozen['id']}/files/train.jsonl").status_code == 200
    assert reader.post("/api/v1/projects/pairs/datasets", json=ORDER).status_code == 403
    assert token_client(ada, "export").get("/api/v1/datasets").status_code == 403


@pytest.mark.parametrize("path", ["", "/files/train.jsonl"])
def test_it_says_when_there_is_no_such_dataset(ada_api: TestClient, path: str):
    for wrong in (7, 10**30):
        assert ada_api.get(f"/api/v1/datasets/{wrong}{path}").status_code in {404, 422}


def test_it_says_when_there_is_no_such_project(ada_api: TestClient):
    assert ada_api.post("/api/v1/projects/nowhere/datasets", json=ORDER).status_code == 404
