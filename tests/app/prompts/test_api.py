"""Items for programs of whoever manages their project."""

import pytest
from fastapi.testclient import TestClient

from app.models import User
from app.prompts import queries
from tests.conftest import token_client
from tests.queued import claimed, judged, make_gold, queued, slots_that_do_not_add_up, value, write

ITEMS = "/api/v1/projects/words/items"


def test_it_lists_items_page_by_page(ada_api: TestClient):
    queued(items=5)
    first = ada_api.get(ITEMS, params={"limit": 2})
    assert [one["id"] for one in first.json()] == [1, 2]
    assert first.json()[0]["prompt"] == [{"role": "user", "content": "words 0"}]
    rest = ada_api.get(first.links["next"]["url"])
    assert [one["id"] for one in rest.json()] == [3, 4]
    assert "next" not in ada_api.get(ITEMS, params={"after": 4}).links


def test_it_filters_and_searches(ada_api: TestClient, ben: User):
    queued(ben, items=6)
    make_gold(1)
    write("UPDATE item SET set_aside = id = 2, reserved_for = CASE WHEN id = 3 THEN :ben END", ben=ben.id)
    write("UPDATE item SET priority = -1 WHERE id = 4")
    for which, ids in {"gold": [1], "set_aside": [2], "reserved": [3], "urgent": [4], "open": [3, 4, 5, 6]}.items():
        assert [one["id"] for one in ada_api.get(ITEMS, params={"which": which}).json()] == ids
    assert [one["id"] for one in ada_api.get(ITEMS, params={"words": "words 4"}).json()] == [5]
    assert ada_api.get(ITEMS, params={"which": "banana"}).status_code == 422


def test_a_long_search_goes_on_where_it_stopped(ada_api: TestClient, monkeypatch: pytest.MonkeyPatch):
    queued(items=5)
    monkeypatch.setattr(queries, "LOOKED_THROUGH", 2)
    page = ada_api.get(ITEMS, params={"words": "words 4"})
    assert page.json() == []
    page = ada_api.get(page.links["next"]["url"])
    assert page.json() == []
    assert [one["id"] for one in ada_api.get(page.links["next"]["url"]).json()] == [5]


def test_it_shows_one_with_all_that_was_said(ada_api: TestClient, ben: User):
    project = queued(ben, items=1)
    stored = judged(ben, claimed(ben, project))
    told = ada_api.get("/api/v1/items/1").json()
    assert [one["model"] for one in told["responses"]] == ["m0", "m1"]
    (judgment,) = told["judgments"]
    assert (judgment["id"], judgment["judge"], judgment["reason"]) == (stored.judgment["id"], "Ben", "random")
    assert (told["wanted"], told["counted"], told["open"], told["open_turns"]) == (1, 1, 0, 0)


def test_it_changes_what_is_sent_and_nothing_else(ada_api: TestClient, ben: User):
    queued(ben, items=1)
    keys = [one["id"] for one in ada_api.get("/api/v1/items/1").json()["responses"]]

    def change(**changes: object) -> dict[str, object]:
        answer = ada_api.patch("/api/v1/items/1", json=changes)
        assert answer.status_code == 200, answer.text
        told: dict[str, object] = answer.json()
        return told

    assert change(set_aside=True)["set_aside"] is True
    assert change(priority=-3)["set_aside"] is True
    assert change(set_aside=False)["priority"] == -3
    assert change(reserved_for=ben.email)["reserved_for"] == "Ben"
    assert change(reserved_for=None)["reserved_for"] is None
    gold = {"outcome": "ranked", "tiers": {keys[0]: 2, keys[1]: 1}}
    assert change(gold=gold, training=True)["gold"] == gold
    assert change(training=False)["training"] is False
    assert change(gold=None)["wanted"] == 1
    assert slots_that_do_not_add_up() == []
    assert value("SELECT count(*) FROM audit WHERE action LIKE 'item.%'") == 8


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reserved_for": "nobody@example.org"}, "reserved_for"),
        ({"reserved_for": "cleo@example.org"}, "reserved_for"),
        ({"training": True}, "training"),
        ({"gold": None, "training": True}, "training"),
        ({"gold": {"outcome": "ranked"}}, "tiers"),
        ({"gold": {"outcome": "skip"}}, "gold"),
        ({"priority": 1e300}, "priority"),
        ({"colour": "red"}, None),
    ],
)
def test_it_says_what_is_wrong(ada_api: TestClient, cleo: User, changes: dict[str, object], field: str | None):
    queued(items=1)
    answer = ada_api.patch("/api/v1/items/1", json=changes)
    assert answer.status_code == 422
    if field:
        assert answer.json()["field"] == field
    assert value("SELECT count(*) FROM audit WHERE action LIKE 'item.%'") == 0


def test_items_are_for_who_manages_the_project(
    ben: User, ben_api: TestClient, cleo_api: TestClient, nobody: TestClient
):
    queued(ben, items=1)
    for program, status in ((ben_api, 403), (cleo_api, 404), (nobody, 401)):
        assert program.get(ITEMS).status_code == status
        assert program.get("/api/v1/items/1").status_code == status
        expected = 403 if program is cleo_api else status  # their token lacks the scope as well
        assert program.patch("/api/v1/items/1", json={"set_aside": True}).status_code == expected
    assert value("SELECT set_aside FROM item") is False


def test_a_manager_does_what_an_admin_does(ben: User, cleo: User):
    queued(ben, items=1)
    write("UPDATE membership SET role = 'manager'")
    manager = token_client(ben, "read", "admin")
    assert manager.patch("/api/v1/items/1", json={"set_aside": True}).status_code == 200
    assert manager.get("/api/v1/items/9").status_code == 404
