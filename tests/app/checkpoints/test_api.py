"""Checkpoints for programs."""

import hashlib

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import User
from tests.conftest import token_client
from tests.trained import make_checkpoint, make_run


@pytest.fixture
def published(ada: User) -> None:
    with db.work_unit() as session:
        make_checkpoint(session)


def test_it_tells_what_a_checkpoint_is_and_where_it_comes_from(ada_api: TestClient, published: None):
    found = ada_api.get("/api/v1/checkpoints/1").json()
    assert (found["name"], found["version"], found["kind"], found["method"]) == ("pairs-dpo", 1, "policy", "dpo")
    assert (found["run"], found["dataset"], found["project"], found["base_model"]) == (1, 1, "project", "starter")
    assert found["metrics"]["after"] == {"accuracy": 0.8}
    assert {file["path"] for file in found["files"]} == {"config.json", "model.safetensors", "original/README.md"}
    assert ada_api.get("/api/v1/checkpoints").json() == [found]
    for name, shown in (("pairs-dpo", [found]), ("pairs", [])):
        assert ada_api.get("/api/v1/checkpoints", params={"name": name}).json() == shown


def test_it_sends_the_files_as_they_were_hashed(ada_api: TestClient, published: None):
    for file in ada_api.get("/api/v1/checkpoints/1").json()["files"]:
        answer = ada_api.get(f"/api/v1/checkpoints/1/files/{file['path']}")
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
        assert file["path"].rpartition("/")[2] in answer.headers["content-disposition"]


def test_it_goes_on_where_a_download_broke_off(ada_api: TestClient, published: None):
    address = "/api/v1/checkpoints/1/files/model.safetensors"
    whole = ada_api.get(address)
    assert ada_api.head(address).headers["content-length"] == str(len(whole.content))
    going_on = {"Range": "bytes=10000-", "If-Range": whole.headers["etag"]}
    rest = ada_api.get(address, headers=going_on)
    assert (rest.status_code, rest.content) == (206, whole.content[10000:])
    assert ada_api.get(address, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert ada_api.get(address, headers={"Range": "bytes=99999-"}).status_code == 416


@pytest.mark.parametrize("path", ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "README.md", "original", ""])
def test_it_has_no_other_files(ada_api: TestClient, published: None, path: str):
    assert ada_api.get(f"/api/v1/checkpoints/1/files/{path}").status_code == 404


def test_it_pages_through_the_list(ada_api: TestClient, published: None):
    with db.work_unit() as session:
        for _ in range(2):
            make_checkpoint(session, make_run(session))
    first = ada_api.get("/api/v1/checkpoints?limit=2")
    assert [each["version"] for each in first.json()] == [3, 2]
    assert [each["version"] for each in ada_api.get(first.links["next"]["url"]).json()] == [1]


PATHS = ["/api/v1/checkpoints", "/api/v1/checkpoints/1", "/api/v1/checkpoints/1/files/config.json"]


def test_it_is_not_for_annotators(ben_api: TestClient, published: None):
    assert [ben_api.get(path).status_code for path in PATHS] == [403] * 3


def test_it_is_not_for_nobody(nobody: TestClient, published: None):
    assert [nobody.get(path).status_code for path in PATHS] == [401] * 3
    assert nobody.head(PATHS[2]).status_code == 401


def test_it_wants_the_scope_to_read(ada: User, published: None):
    assert [token_client(ada, "read").get(path).status_code for path in PATHS] == [200] * 3
    assert [token_client(ada, "train").get(path).status_code for path in PATHS] == [403] * 3


def test_it_says_when_there_is_no_such_checkpoint(ada_api: TestClient):
    assert ada_api.get("/api/v1/checkpoints/9").status_code == 404
    assert ada_api.get("/api/v1/checkpoints/9/files/config.json").status_code == 404
