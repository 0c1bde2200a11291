import re
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import db
from app.models import Item, Judgment, Project, Response, User
from tests.unjudged import open_item, open_project

HTMX = {"HX-Request": "true"}


@pytest.fixture
def pairs(ben: User) -> Project:
    with db.work_unit() as session:
        project = open_project(session, "pairs", "pair", ben, guidelines="Be **fair**.")
        open_item(session, project, "First?", ["one", "two"], priority=-2)
        open_item(session, project, "Second?", ["three", "four"], priority=-1)
        return project


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the verdict, and the ids of the responses in the order shown."""
    verdict = page[page.index('class="verdict"') :]
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', verdict))
    shown = re.findall(r'name="choice" value="([0-9a-f-]{36})"', verdict)
    return hidden | dict(zip("AB", shown, strict=False))


def undo_of(page: str) -> dict[str, str]:
    undo = page[page.index('id="undo"') : page.index('class="verdict"')]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', undo))


def judgments() -> list[Judgment]:
    with db.work_unit() as session:
        return list(session.scalars(select(Judgment).order_by(Judgment.id)))


def test_it_shows_the_prompt_the_responses_and_no_model(ben_browser: TestClient, pairs: Project) -> None:
    with db.work_unit() as session:
        for response in session.scalars(select(Response)):
            response.model = "secret-model"
    page = ben_browser.get("/projects/pairs/judge").text
    assert "First?" in page
    assert '<p dir="auto">one</p>' in page
    assert "<strong>fair</strong>" in page
    assert "secret-model" not in page


def test_htmx_gets_the_next_turn_and_what_was_saved(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text)
    answer = ben_browser.post(
        "/projects/pairs/turn", data=form | {"choice": form["A"], "duration_ms": "1234"}, headers=HTMX
    )
    assert answer.text.lstrip().startswith('<section class="turn" id="turn"')
    assert "Saved: A is better." in answer.text
    assert "Second?" in answer.text
    (stored,) = judgments()
    assert (stored.outcome, stored.tiers[form["A"]], stored.duration_ms) == ("ranked", 1, 1234)


def test_a_plain_form_is_sent_back_to_the_page_which_says_what_was_saved(
    ben_browser: TestClient, pairs: Project
) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text)
    sent = ben_browser.post("/projects/pairs/turn", data=form | {"choice": form["B"]})
    assert (sent.status_code, sent.headers["location"]) == (303, "/projects/pairs/judge")
    assert "Saved: B is better." in ben_browser.get("/projects/pairs/judge").text


@pytest.mark.parametrize(
    ("choice", "words"), [("tie", "Saved: equally good."), ("all_bad", "Saved: both bad."), ("skip", "Skipped.")]
)
def test_every_outcome_is_shown_back_in_words(ben_browser: TestClient, pairs: Project, choice: str, words: str) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text)
    assert words in ben_browser.post("/projects/pairs/turn", data=form | {"choice": choice}, headers=HTMX).text


def test_the_same_form_sent_twice_stores_one_judgment(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text) | {"choice": "tie"}
    ben_browser.post("/projects/pairs/turn", data=form, headers=HTMX)
    again = ben_browser.post("/projects/pairs/turn", data=form, headers=HTMX)
    assert "Second?" in again.text
    assert len(judgments()) == 1


def test_the_same_form_with_another_choice_is_told_that_it_is_late(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text)
    ben_browser.post("/projects/pairs/turn", data=form | {"choice": "tie"})
    ben_browser.post("/projects/pairs/turn", data=form | {"choice": "all_bad"})
    assert "notice" in ben_browser.get("/projects/pairs/judge").text
    assert [one.outcome for one in judgments()] == ["tie"]


def test_undo_brings_the_same_item_back(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text)
    after = ben_browser.post("/projects/pairs/turn", data=form | {"choice": form["A"]}, headers=HTMX).text
    back = ben_browser.post("/projects/pairs/undo", data=undo_of(after), headers=HTMX).text
    assert "First?" in back
    assert "Taken back. Here it is again." in back
    assert [one.withdrawn for one in judgments()] == [False, True]


def test_a_choice_that_no_button_sends_is_refused_on_the_same_turn(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text) | {"choice": "banana"}
    for headers in (HTMX, {}):
        refused = ben_browser.post("/projects/pairs/turn", data=form, headers=headers)
        assert refused.status_code == 422
        assert "First?" in refused.text
    assert judgments() == []


@pytest.mark.parametrize(
    "wrong", [{"assignment": "1; drop"}, {"assignment": ""}, {"key": ""}, {"assignment": "9" * 30}]
)
def test_a_form_that_the_page_did_not_make_is_refused(
    ben_browser: TestClient, pairs: Project, wrong: dict[str, str]
) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text) | {"choice": "tie"} | wrong
    assert ben_browser.post("/projects/pairs/turn", data=form, headers=HTMX).status_code == 422
    assert judgments() == []


def test_a_duration_that_cannot_be_is_left_out(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text) | {"choice": "tie", "duration_ms": "-5"}
    ben_browser.post("/projects/pairs/turn", data=form, headers=HTMX)
    assert judgments()[0].duration_ms is None


def test_a_ranking_keeps_its_numbers_when_one_is_missing(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "stories", "ranking", ben)
        keys = open_item(session, project, "Tell me.", ["a", "b", "c"]).response_ids
    form = form_of(ben_browser.get("/projects/stories/judge").text) | {"choice": "ranked"}
    form |= {f"tier.{keys[0]}": "2", f"tier.{keys[1]}": "1"}
    refused = ben_browser.post("/projects/stories/turn", data=form, headers=HTMX)
    assert refused.status_code == 422
    assert refused.text.count(" checked") == 2
    saved = ben_browser.post("/projects/stories/turn", data=form | {f"tier.{keys[2]}": "2"}, headers=HTMX)
    assert re.search(r"Saved: [ABC], then [ABC] = [ABC]\.", saved.text)
    assert judgments()[0].tiers == {str(keys[0]): 2, str(keys[1]): 1, str(keys[2]): 2}


def test_the_end_says_why_nothing_is_left(ben_browser: TestClient, ada_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "small", "pair", ben)
    page = "/projects/small/judge"
    assert "Nothing to judge yet" in ben_browser.get(page).text
    with db.work_unit() as session:
        open_item(session, project, "Only?", ["x", "y"])
    form = form_of(ben_browser.get(page).text)
    assert "The last items are with other people" in ada_browser.get(page).text
    assert (
        "All done. Thank you."
        in ben_browser.post("/projects/small/turn", data=form | {"choice": "tie"}, headers=HTMX).text
    )
    with db.work_unit() as session:
        item = session.scalars(select(Item).where(Item.project_id == project.id)).one()
        item.wanted, item.open_slots = 2, 1
    assert "wait for other people" in ben_browser.get(page).text


def test_what_people_wrote_can_neither_run_nor_load_anything(ben_browser: TestClient, ben: User) -> None:
    nasty = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:alert(1)) <img src=x onerror=a>"
    with db.work_unit() as session:
        project = open_project(session, "nasty", "pair", ben, name="<b>bold</b>", guidelines=nasty)
        open_item(session, project, [{"role": "<i>", "content": nasty}], [nasty, nasty + "."])
    page = ben_browser.get("/projects/nasty/judge").text
    body = page[page.index("<body") :]
    for tag in ("<script", "<img", "<b>", "<i>", 'href="javascript'):
        assert tag not in body


def test_a_strangers_project_is_not_there(
    cleo_browser: TestClient, nobody: TestClient, ben_browser: TestClient, pairs: Project
) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text) | {"choice": "tie"}
    assert cleo_browser.get("/projects/pairs/judge").status_code == 404
    assert cleo_browser.post("/projects/pairs/turn", data=form).status_code == 404
    assert cleo_browser.post("/projects/pairs/undo", data={"judgment": "1", "key": "k"}).status_code == 404
    assert nobody.get("/projects/pairs/judge").headers["location"] == "/sign-in?next=/projects/pairs/judge"
    assert nobody.post("/projects/pairs/turn", data=form).headers["location"] == "/sign-in"
    assert judgments() == []


def test_nobody_judges_in_anothers_place(ada_browser: TestClient, ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text) | {"choice": "tie"}
    assert ada_browser.post("/projects/pairs/turn", data=form).status_code == 404
    after = ben_browser.post("/projects/pairs/turn", data=form, headers=HTMX).text
    assert ada_browser.post("/projects/pairs/undo", data=undo_of(after), headers=HTMX).status_code == 404
    assert [one.withdrawn for one in judgments()] == [False]


ALIKE = ["Water the plants early in the day.", "Water the plants late in the day."]


def test_two_that_are_alike_offer_their_difference_in_the_order_shown(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "alike", "pair", ben)
        item = open_item(session, project, "When?", ALIKE)
        for response in session.scalars(select(Response)):
            response.model = "secret-model"
    page = ben_browser.get("/projects/alike/judge").text
    (address,) = re.findall(r'<a href="(/turns/\d+/difference)"', page)
    first = ALIKE[item.response_ids.index(UUID(form_of(page)["A"]))]
    for headers in (HTMX, {}):
        answer = ben_browser.get(address, headers=headers).text
        marked = re.findall(r"<mark>(\w+) ?</mark>", answer)
        assert marked == (["early", "late"] if first == ALIKE[0] else ["late", "early"])
        assert "secret-model" not in answer
    assert ben_browser.get(address, headers=HTMX).text.lstrip().startswith('<div id="difference"')


def test_two_that_are_not_alike_offer_no_difference(ben_browser: TestClient, pairs: Project) -> None:
    assert "/difference" not in ben_browser.get("/projects/pairs/judge").text


def test_nobody_sees_the_difference_of_a_turn_that_is_not_theirs(
    ben_browser: TestClient, cleo_browser: TestClient, ada_browser: TestClient, nobody: TestClient, pairs: Project
) -> None:
    ben_browser.get("/projects/pairs/judge")
    assert ben_browser.get("/turns/1/difference").status_code == 200
    for stranger in (cleo_browser, ada_browser):
        assert stranger.get("/turns/1/difference").status_code == 404
    assert nobody.get("/turns/1/difference").status_code == 303
    for wrong in ("/turns/99/difference", f"/turns/{2**63 - 1}/difference"):
        assert ben_browser.get(wrong).status_code == 404


def test_there_is_no_difference_of_three(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "stories", "ranking", ben)
        open_item(session, project, "Tell me.", ["a", "b", "c"])
    ben_browser.get("/projects/stories/judge")
    assert ben_browser.get("/turns/1/difference").status_code == 404
