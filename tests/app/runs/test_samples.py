"""What a run's model said while it learnt, as people read it and as programs fetch it."""

import re
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import User
from app.runs.samples import spread
from tests.trained import add_samples, add_scores, make_run

HTMX = {"HX-Request": "true"}


@pytest.fixture
def ready(ada: User) -> None:
    """Run 1 goes on, run 2 is over and trained a reward model, run 3 was never asked anything."""
    with db.work_unit() as session:
        add_samples(session, make_run(session, state="running"), 0, 10, 20, 30)
        add_scores(session, make_run(session, method="reward", state="finished"), 0, 10, 20)
        make_run(session, state="running")


def read(answer: Any) -> str:
    """The words of a page."""
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def test_the_newest_stands_beside_the_time_before_and_what_differs_is_marked(ada_browser: TestClient, ready: None):
    page = ada_browser.get("/runs/1")
    words = read(page)
    assert "Responses over time" in words
    assert "What is 2 + 2?" in words
    assert "Right answer: 4" in words
    assert re.search(r"Step 20 right 4 Step 30 right 4", words)
    other = ada_browser.get("/runs/1/samples?place=1")
    assert "<mark>30</mark>" in other.text.replace(" </mark>", "</mark>")
    assert "<mark>20</mark>" in other.text.replace(" </mark>", "</mark>")


def test_every_choice_is_a_link_that_needs_no_script(ada_browser: TestClient, ready: None):
    page = ada_browser.get("/runs/1/samples?place=1&at=10")
    words = read(page)
    assert page.text.lstrip().startswith("<!doctype html>")
    assert re.search(r"Start Hello to the dog, .* Step 10", words)
    assert "It had not ended when its room was used up." in words
    links = [unescape(each) for each in re.findall(r'href="(/runs/1/samples[^"]*)"', page.text)]
    assert "/runs/1/samples?at=10" in links, "the other prompt, at the same step"
    assert "/runs/1/samples?place=1&at=30" in links
    assert "/runs/1/samples?place=1&against=start&at=10" in links
    assert "/runs/1/samples?place=1" in links, "to follow the newest again"
    for link in dict.fromkeys(links):
        assert ada_browser.get(link).status_code == 200
    from_start = read(ada_browser.get("/runs/1/samples?against=start"))
    assert re.search(r"Start wrong 22 Step 30 right 4", from_start)


def test_what_there_is_not_becomes_what_is_nearest_before_it(ada_browser: TestClient, ready: None):
    words = read(ada_browser.get("/runs/1/samples?place=9&at=25"))
    assert "of 20 years" in words
    assert ada_browser.get("/runs/1/samples?place=-1").status_code == 422
    assert ada_browser.get("/runs/99/samples").status_code == 404


def test_it_follows_a_run_with_one_small_question_until_something_is_new(ada_browser: TestClient, ready: None):
    asked = "/runs/1/samples?place=1&seen=30"
    part = ada_browser.get("/runs/1/samples?place=1", headers=HTMX).text
    assert part.lstrip().startswith('<div id="samples"')
    assert asked in unescape(part)
    assert ada_browser.get(asked, headers=HTMX).status_code == 204
    assert ada_browser.get("/runs/1/samples?seen=20", headers=HTMX).status_code == 200
    assert ada_browser.get("/runs/3/samples?seen=-1", headers=HTMX).status_code == 204
    over = ada_browser.get("/runs/2/samples?seen=20", headers=HTMX)
    assert over.status_code == 200
    assert "hx-trigger" not in over.text


def test_a_reward_model_shows_its_scores_as_curves(ada_browser: TestClient, ready: None):
    words = read(ada_browser.get("/runs/2"))
    assert "Scores over time" in words
    assert re.search(r"A Hello, dog! 1 0 0\.2 B No\. 2 0 -0\.4", words.replace("−", "-"))
    assert "Score by step" in ada_browser.get("/runs/2").text


def test_a_run_that_was_not_asked_says_how_it_would_be(ada_browser: TestClient, ready: None):
    assert "over time" not in read(ada_browser.get("/runs/3"))
    assert "The setting sample_every has it asked." in read(ada_browser.get("/runs/3/samples"))


def test_programs_fetch_them_page_by_page(ada_api: TestClient, ready: None):
    first = ada_api.get("/api/v1/runs/1/samples?limit=3")
    assert [each["step"] for each in first.json()] == [0, 10, 20]
    assert first.json()[1]["samples"][0] == {
        "place": 0,
        "prompt": "What is 2 + 2?",
        "answer": "4",
        "text": "4",
        "tokens": 2,
        "ended": True,
        "right": True,
        "responses": None,
        "tiers": None,
        "scores": None,
    }
    rest = ada_api.get(first.links["next"]["url"])
    assert [each["step"] for each in rest.json()] == [30]
    assert "next" not in rest.links
    scored = ada_api.get("/api/v1/runs/2/samples").json()[-1]["samples"][0]
    assert (scored["scores"], scored["tiers"], scored["text"]) == ([0.2, -0.4], [1, 2], None)
    assert ada_api.get("/api/v1/runs/3/samples").json() == []
    assert ada_api.get("/api/v1/runs/99/samples").status_code == 404


def test_of_many_steps_a_few_are_offered() -> None:
    steps = list(range(0, 1000, 10))
    few = spread(steps, 12, 70)
    assert {0, 70, 990} <= set(few)
    assert len(few) <= 14
    assert spread([5], 12, 5) == [5]
