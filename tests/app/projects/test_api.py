"""/api/v1/projects."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models import User
from tests.queued import claimed, judged, queued

URL = "/api/v1/projects"
NEW = {"slug": "p", "name": "P", "kind": "pair"}


def test_it_makes_a_project(ada_api: TestClient):
    answer = ada_api.post(URL, json={**NEW, "guidelines": "Be kind.", "judgments_per_item": 2, "lease_minutes": 5})
    assert answer.status_code == 201
    told = answer.json()
    assert {
        name: told[name] for name in ("slug", "name", "kind", "guidelines", "judgments_per_item", "lease_minutes")
    } == {
        **NEW,
        "guidelines": "Be kind.",
        "judgments_per_item": 2,
        "lease_minutes": 5,
    }
    assert set(told["counts"].values()) == {0}
    assert ada_api.get(f"{URL}/p").json() == told


def test_a_slug_that_is_taken_is_a_conflict(ada_api: TestClient):
    ada_api.post(URL, json=NEW)
    answer = ada_api.post(URL, json={**NEW, "name": "Again"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == "slug"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "banana"},
        {"slug": "P Q"},
        {"slug": None},
        {"name": ""},
        {"name": "a\0"},
        {"judgments_per_item": 0},
        {"judgments_per_item": 10**40},
        {"judgments_per_item": "many"},
        {"lease_minutes": 10_081},
        {"lease_minuets": 5},
    ],
)
def test_it_says_what_is_wrong(ada_api: TestClient, change: dict[str, Any]):
    answer = ada_api.post(URL, json=NEW | change)
    assert answer.status_code == 422
    assert answer.json()["field"] == next(iter(change))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(ada_api: TestClient, body: bytes):
    answer = ada_api.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_it_counts_what_is_there(ada_api: TestClient, ben: User):
    project = queued(ben, items=3, wanted=2)
    first = claimed(ben, project)
    judged(ben, first)
    claimed(ben, project)
    assert ada_api.get(f"{URL}/words").json()["counts"] == {
        "items": 3,
        "open": 3,
        "wanted": 6,
        "counted": 1,
        "judgments": 1,
        "tuples": 1,
    }


def test_it_lists_by_pages_newest_first(ada_api: TestClient):
    for number in range(5):
        queued(slug=f"p{number}", items=number)
    page = ada_api.get(URL, params={"limit": 2})
    seen = [(row["slug"], row["counts"]["items"]) for row in page.json()]
    while "next" in page.links:
        page = ada_api.get(page.links["next"]["url"])
        seen += [(row["slug"], row["counts"]["items"]) for row in page.json()]
    assert seen == [(f"p{number}", number) for number in (4, 3, 2, 1, 0)]
    assert ada_api.get(URL, params={"after": 1}).json() == []


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 10_000}, {"after": "x"}, {"after": 2**63}])
def test_a_page_that_is_none_is_refused(ada_api: TestClient, params: dict[str, Any]):
    assert ada_api.get(URL, params=params).status_code == 422


def test_annotators_see_their_own(ben: User, ben_api: TestClient, cleo_api: TestClient):
    queued(ben, items=1)
    queued(slug="other", items=1)
    assert [row["slug"] for row in ben_api.get(URL).json()] == ["words"]
    assert ben_api.get(f"{URL}/words").status_code == 200
    assert ben_api.get(f"{URL}/other").status_code == 404
    assert cleo_api.get(URL).json() == []
    assert cleo_api.get(f"{URL}/words").status_code == 404


def test_only_admins_make_projects(nobody: TestClient, ben_api: TestClient):
    for caller, status in ((nobody, 401), (ben_api, 403)):
        assert caller.post(URL, json=NEW).status_code == status
    assert nobody.get(URL).status_code == 401
    assert nobody.get(f"{URL}/words").status_code == 401


@pytest.mark.parametrize("slug", ["unknown", "a%00b", "%F0%9F%8D%8B", "x" * 500])
def test_an_unknown_project_is_not_found(ada_api: TestClient, slug: str):
    answer = ada_api.get(f"{URL}/{slug}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_setting_can_be_given_and_changed(ada_api: TestClient):
    given = {"outcomes": ["ranked", "skip"], "asks_strength": True, "dimensions": ["honest"], "comments": "required"}
    given |= {"comment_min_length": 3, "item_order": "priority", "gold_share": 0.1, "repeat_share": 0.02}
    told = ada_api.post(URL, json=NEW | given).json()
    assert {name: told[name] for name in given} == given
    changed = ada_api.patch(f"{URL}/p", json={"dimensions": [], "judgments_per_item": 3})
    assert changed.status_code == 200
    assert changed.json() == told | {"dimensions": [], "judgments_per_item": 3}
    assert ada_api.get(f"{URL}/p").json() == changed.json()


@pytest.mark.parametrize(
    "change",
    [
        {"outcomes": ["tie"]},
        {"dimensions": ["a", "A"]},
        {"dimensions": ["a\nb"]},
        {"comments": "no"},
        {"comment_min_length": 10**30},
        {"item_order": ""},
        {"gold_share": 0.6},
        {"repeat_share": "much"},
        {"name": ""},
        {"slug": "q"},
        {"kind": "ranking"},
    ],
)
def test_a_change_that_is_wrong_names_its_field_and_changes_nothing(ada_api: TestClient, change: dict[str, Any]):
    told = ada_api.post(URL, json=NEW).json()
    answer = ada_api.patch(f"{URL}/p", json={"lease_minutes": 7} | change)
    assert answer.status_code == 422
    assert answer.json()["field"] == next(iter(change))
    assert ada_api.get(f"{URL}/p").json() == told


def test_counts_of_whoever_judges_stand_in_tens_so_that_no_known_answer_is_told_apart(
    ben_api: TestClient, ada_api: TestClient, ben: User
):
    project = queued(ben, items=25, gold_share=0.1)
    for _ in range(13):
        judged(ben, claimed(ben, project))
    told, all_of_it = ben_api.get(f"{URL}/words").json(), ada_api.get(f"{URL}/words").json()
    assert (told["counts"]["open"], told["counts"]["counted"], told["counts"]["judgments"]) == (20, 10, 10)
    assert (all_of_it["counts"]["open"], all_of_it["counts"]["counted"]) == (12, 13)
    assert (told["gold_share"], told["repeat_share"]) == (None, None)
    assert all_of_it["gold_share"] == 0.1


def test_whoever_judges_a_project_that_tries_nobody_is_told_the_numbers_themselves(ben_api: TestClient, ben: User):
    judged(ben, claimed(ben, queued(ben, items=5, gold_share=0)))
    assert ben_api.get(f"{URL}/words").json()["counts"]["open"] == 4
