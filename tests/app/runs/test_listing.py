"""Finding runs: filters, tags and notes, for people and for programs."""

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import Run, User
from tests.trained import make_dataset, make_run


@pytest.fixture
def three(ada: User) -> None:
    """1: a finished dpo run with two tags on “pairs”; 2: a failed reward run on “other”; 3: like 1, queued, with a note."""
    with db.work_unit() as session:
        pairs, other = make_dataset(session), make_dataset(session, "other")
        make_run(session, pairs, state="finished", tags=["careful", "small"])
        make_run(session, other, state="failed", method="reward", checkpoint_name="scores")
        make_run(session, pairs, note="Ältere Regel, noch einmal")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("", [3, 2, 1]),
        ("method=reward", [2]),
        ("state=queued", [3]),
        ("dataset=pairs", [3, 1]),
        ("dataset=pairs@v1&state=finished", [1]),
        ("dataset=pairs@v2", []),
        ("tag=careful", [1]),
        ("tag=care", []),
        ("words=SCORES", [2]),
        ("words=%C3%A4ltere%20regel", [3]),
        ("words=other", [2]),
        ("words=.*", []),
    ],
)
def test_it_finds_runs(ada_api: TestClient, three: None, filters: str, found: list[int]):
    assert [run["id"] for run in ada_api.get(f"/api/v1/runs?{filters}").json()] == found


def test_pages_keep_their_filters(ada_api: TestClient, three: None):
    first = ada_api.get("/api/v1/runs?dataset=pairs&limit=1")
    assert [run["id"] for run in first.json()] == [3]
    assert [run["id"] for run in ada_api.get(first.links["next"]["url"]).json()] == [1]


def test_a_state_that_there_is_not_is_named(ada_api: TestClient, three: None):
    answer = ada_api.get("/api/v1/runs?state=asleep")
    assert answer.status_code == 422
    assert "state" in answer.text


def test_the_page_offers_what_there_is_and_says_what_it_shows(ada_browser: TestClient, three: None):
    page = ada_browser.get("/runs?method=reward").text
    assert '<option value="reward" selected>' in page
    assert '<option value="careful">' in page
    assert '<option value="other">' in page
    assert page.count('<th scope="row">') == 1
    assert "No run is like this." in ada_browser.get("/runs?tag=nothing").text
    assert "method=dpo&amp;after=3" in ada_browser.get("/runs?method=dpo&limit=1").text


def test_tags_and_a_note_are_set_from_the_page(ada_browser: TestClient, three: None):
    answer = ada_browser.post("/runs/2/labels", data={"tags": " first try,,first  try, b ", "note": " <b>good</b> "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/2")
    page = ada_browser.get("/runs").text
    assert "&lt;b&gt;good&lt;/b&gt;" in page
    assert 'href="/runs?tag=first+try"' in page or 'href="/runs?tag=first%20try"' in page
    with db.work_unit() as session:
        assert session.get_one(Run, 2).tags == ["first try", "b"]


def test_what_a_program_leaves_out_stays(ada_api: TestClient, three: None):
    told = ada_api.patch("/api/v1/runs/1", json={"note": "best so far"}).json()
    assert (told["tags"], told["note"]) == (["careful", "small"], "best so far")
    assert ada_api.patch("/api/v1/runs/1", json={"tags": []}).json()["tags"] == []
    assert ada_api.get("/api/v1/runs/1").json()["note"] == "best so far"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"tags": ["a,b"]}, "tags"),
        ({"tags": ["x" * 41]}, "tags"),
        ({"tags": [str(number) for number in range(13)]}, "tags"),
        ({"note": "x" * 4001}, "note"),
    ],
)
def test_it_refuses_labels_that_are_too_much(ada_api: TestClient, three: None, given: dict[str, object], field: str):
    answer = ada_api.patch("/api/v1/runs/1", json=given)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_only_admins_label_runs(ben_browser: TestClient, three: None):
    assert ben_browser.post("/runs/1/labels", data={"tags": "mine"}).status_code == 403
