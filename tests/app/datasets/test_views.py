"""The pages of datasets."""

import pytest
from fastapi.testclient import TestClient

from app import db
from app.datasets.form import USUAL
from app.models import User
from tests.judged import add_item, judge, judged_pairs, make_project

FORM = USUAL | {"project": "pairs", "name": "pairs", "test": "0.25"}


@pytest.fixture
def pairs(ada: User) -> None:
    with db.work_unit() as session:
        judged_pairs(session, 20)


def test_it_freezes_from_the_form_and_shows_the_dataset(ada_browser: TestClient, pairs: None):
    answer = ada_browser.post("/datasets", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/datasets/1")
    page = ada_browser.get("/datasets/1").text
    assert "pairs v1" in page
    assert "/api/v1/datasets/1/files/train.parquet" in page
    assert "by prompt, 25.0" in page
    assert "/runs/new?dataset=1" in page


def test_it_lists_datasets_and_offers_to_freeze_one(ada_browser: TestClient, pairs: None):
    assert "No dataset has been frozen yet" in ada_browser.get("/datasets").text
    for name in ("one", "two", "three"):
        ada_browser.post("/datasets", data=FORM | {"name": name})
    first = ada_browser.get("/datasets?limit=2").text
    assert "three" in first
    assert "?after=2" in first
    assert "one" in ada_browser.get("/datasets?after=2").text


def test_it_downloads_with_the_browsers_own_session(ada_browser: TestClient, pairs: None):
    ada_browser.post("/datasets", data=FORM)
    answer = ada_browser.get("/api/v1/datasets/1/files/train.jsonl")
    assert answer.status_code == 200
    assert "pairs-v1-train.jsonl" in answer.headers["content-disposition"]


def test_it_says_when_nothing_has_changed(ada_browser: TestClient, pairs: None):
    for _ in range(2):
        answer = ada_browser.post("/datasets", data=FORM)
    assert "no new one" in ada_browser.get(answer.headers["location"]).text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "Not so"}, "small letters"),
        ({"project": "nowhere"}, "no project “nowhere”"),
        ({"split": "metadata", "field": "colour"}, "metadata.split"),
        ({"split": "metadata"}, "has no “metadata.split”"),
        ({"test": "1"}, "a number from 0"),
        ({"judge_kinds": "human"}, "passes these filters"),
    ],
)
def test_it_shows_the_form_again_with_what_is_wrong(
    ada_browser: TestClient, pairs: None, wrong: dict[str, str], words: str
):
    answer = ada_browser.post("/datasets", data=FORM | wrong)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'action="/datasets"' in answer.text


def test_it_tells_of_prompts_that_were_held_out(ada_browser: TestClient):
    with db.work_unit() as session:
        project = make_project(session)
        for words, side in (("Both", "train"), ("Both", "test"), ("One", "train")):
            judge(session, add_item(session, project, words, [side, words], metadata={"split": side}), [1, 2])
    ada_browser.post("/datasets", data=FORM | {"split": "metadata"})
    page = ada_browser.get("/datasets/1").text
    assert "it is held out, which moved 1 group from train to test" in page
    assert "by metadata.split of the records" in page


def test_it_shows_words_of_others_as_words(ada_browser: TestClient):
    """Names come from people; a project's name may hold anything."""
    with db.work_unit() as session:
        judged_pairs(session, 2).name = "<script>alert(1)</script>"
    for path in ("/datasets/new", ada_browser.post("/datasets", data=FORM).headers["location"]):
        assert "<script>alert" not in ada_browser.get(path).text


def test_it_offers_to_freeze_the_project_one_comes_from(ada_browser: TestClient, pairs: None):
    assert '<option value="pairs" selected>' in ada_browser.get("/datasets/new?project=pairs").text


PAGES = ["/datasets", "/datasets/new", "/datasets/1"]


def test_it_is_not_for_annotators(ada_browser: TestClient, ben_browser: TestClient, pairs: None):
    ada_browser.post("/datasets", data=FORM)
    assert [ben_browser.get(path).status_code for path in PAGES] == [403] * 3
    assert ben_browser.post("/datasets", data=FORM).status_code == 403


def test_it_asks_nobody_to_sign_in(nobody: TestClient):
    for path in PAGES:
        assert nobody.get(path).headers["location"].startswith("/sign-in")
    assert nobody.post("/datasets", data=FORM).headers["location"] == "/sign-in"


def test_it_says_when_there_is_no_such_dataset(ada_browser: TestClient):
    assert ada_browser.get("/datasets/9").status_code == 404
