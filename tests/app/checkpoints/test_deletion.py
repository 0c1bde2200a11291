"""Deleting a checkpoint: what is needed stays, what is not goes with its files and keeps its number."""

import pytest
from fastapi.testclient import TestClient

from app import db, jobs
from app.checkpoints.deletion import forget_files
from app.errors import NotFound
from app.models import Checkpoint, CheckpointAlias, Run, User
from app.runs.queries import newest_checkpoint
from app.storage import Storage
from tests.trained import make_checkpoint, make_run

ONE = "/api/v1/checkpoints/1"


@pytest.fixture
def two(ada: User) -> None:
    """Two versions of one name."""
    with db.work_unit() as session:
        for _ in range(2):
            make_checkpoint(session, make_run(session, state="finished"))


def test_it_goes_from_lists_and_its_files_from_storage(ada_api: TestClient, two: None, files: Storage):
    with db.work_unit() as session:
        name = session.get_one(Checkpoint, 2).prefix + "/config.json"
        kept = session.get_one(Checkpoint, 1).prefix + "/config.json"
    assert ada_api.delete("/api/v1/checkpoints/2").status_code == 204
    assert [one["id"] for one in ada_api.get("/api/v1/checkpoints").json()] == [1]
    answer = ada_api.get("/api/v1/checkpoints/2/files/config.json")
    assert (answer.status_code, "was deleted" in answer.json()["detail"]) == (404, True)
    assert files.size(name) == 2
    assert (jobs.do(forget_files), jobs.do(forget_files)) == (1, 0)
    with pytest.raises(NotFound):
        files.size(name)
    assert files.size(kept) == 2
    told = ada_api.get("/api/v1/checkpoints/2").json()
    assert (told["files"], told["deleted_at"] is not None, told["version"]) == ([], True, 2)


def test_nothing_means_a_deleted_version_any_more(ada_api: TestClient, two: None):
    ada_api.delete("/api/v1/checkpoints/2")
    with db.work_unit() as session:
        newest = newest_checkpoint(session, "pairs-dpo")
        assert newest is not None
        assert newest.version == 1
        assert newest_checkpoint(session, "pairs-dpo", 2) is None
    moved = ada_api.put("/api/v1/checkpoints/pairs-dpo/aliases/production", json={"version": 2})
    assert (moved.status_code, ada_api.delete("/api/v1/checkpoints/2").status_code) == (404, 404)


def needed(api: TestClient, words: str) -> bool:
    answer = api.delete(ONE)
    return answer.status_code == 409 and words in answer.json()["detail"]


def test_an_alias_holds_it(ada_api: TestClient, two: None, ada: User):
    with db.work_unit() as session:
        session.add(CheckpointAlias(name="pairs-dpo", alias="production", version=1, moved_by=ada.id))
    assert needed(ada_api, "it is “production”")
    assert ada_api.delete("/api/v1/checkpoints/2").status_code == 204


@pytest.mark.parametrize(
    "told",
    [
        {"base_model": "pairs-dpo@v1"},
        {"settings": {"reference": "pairs-dpo@v1"}},
        {"settings": {"scores": "pairs-dpo@v1"}},
    ],
)
def test_an_order_that_names_it_holds_it_until_it_is_over(ada_api: TestClient, two: None, told: dict[str, object]):
    with db.work_unit() as session:
        number = make_run(session, **told).id
    assert needed(ada_api, f"run {number}, which is not over")
    with db.work_unit() as session:
        session.get_one(Run, number).state = "cancelled"
    assert ada_api.delete(ONE).status_code == 204


def test_an_order_that_names_no_version_holds_the_newest(ada_api: TestClient, two: None):
    with db.work_unit() as session:
        make_run(session, base_model="pairs-dpo")
    assert ada_api.delete("/api/v1/checkpoints/2").status_code == 409
    assert ada_api.delete(ONE).status_code == 204


@pytest.mark.parametrize("role", ["started_from", "reference", "scored_by"])
def test_what_was_made_from_it_holds_it(ada_api: TestClient, two: None, role: str):
    with db.work_unit() as session:
        exactly = session.get_one(Checkpoint, 1).exactly
        made = make_run(session, state="finished", checkpoint_name="child", facts={role: exactly})
        child = make_checkpoint(session, made)
        make_run(session, state="failed", facts={role: exactly})
    assert needed(ada_api, "child v1 was made from it")
    assert ada_api.delete(f"/api/v1/checkpoints/{child.id}").status_code == 204
    assert ada_api.delete(ONE).status_code == 204


def test_the_page_says_what_holds_it_or_offers_to_delete_it(ada_browser: TestClient, two: None):
    with db.work_unit() as session:
        make_run(session, base_model="pairs-dpo@v1")
    page = ada_browser.get("/checkpoints/1").text
    assert "which is not over, starts from it" in page
    assert 'action="/checkpoints/1/delete"' not in page
    assert ada_browser.post("/checkpoints/1/delete").status_code == 422
    assert 'action="/checkpoints/2/delete"' in ada_browser.get("/checkpoints/2").text
    assert ada_browser.post("/checkpoints/2/delete").headers["location"] == "/checkpoints"
    page = ada_browser.get("/checkpoints/2").text
    assert "This version was deleted" in page
    assert "Take it home" not in page
    assert "deleted v2" in ada_browser.get("/checkpoints/1").text
