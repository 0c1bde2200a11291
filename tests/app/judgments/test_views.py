import re
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app import db
from app.models import Item, Judgment, Project, Response, User
from app.queue.service import expire
from tests.queued import leases_run_out, value
from tests.unjudged import open_item, open_project

HTMX = {"HX-Request": "true"}
KEPT = "Kept, as I wrote it."


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


def test_a_strength_is_a_button_of_its_own(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "scale", "pair", ben, asks_strength=True)
        open_item(session, project, "First?", ["one", "two"])
    page = ben_browser.get("/projects/scale/judge").text
    steps = re.findall(r'name="choice" value="([0-9a-f-]{36}) ([123])"', page)
    assert [strength for _, strength in steps] == ["3", "2", "1", "1", "2", "3"]
    form = form_of(page) | {"choice": " ".join(steps[-1])}
    saved = ben_browser.post("/projects/scale/turn", data=form, headers=HTMX).text
    assert "Saved: B is much better." in saved
    (stored,) = judgments()
    assert (stored.strength, stored.tiers[steps[-1][0]]) == (3, 1)


def test_what_is_left_is_said_in_tens_where_some_turns_may_be_known_answers(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "watched", "pair", ben, gold_share=0.05)
        for number in range(11):
            open_item(session, project, f"Question {number}?", ["one", "two"])
    page = ben_browser.get("/projects/watched/judge").text
    for words in ("at least 10 left", "fewer than 10 left", "fewer than 10 left"):
        form = form_of(page)
        page = ben_browser.post("/projects/watched/turn", data=form | {"choice": form["A"]}, headers=HTMX).text
        assert f" {words}" in page
    with db.work_unit() as session:
        session.get_one(Project, project.id).gold_share = 0
    assert " 8 left" in ben_browser.get("/projects/watched/judge").text


def test_dimensions_and_the_comment_are_stored_and_shown_back(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "asked", "pair", ben, dimensions=["Honest", "Kind"], comments="required")
        open_item(session, project, "First?", ["one", "two"])
    form = form_of(ben_browser.get("/projects/asked/judge").text)
    said = {"choice": form["A"], "dimension.Honest": form["B"], "dimension.Kind": "tie", "comment": "B lies less."}
    saved = ben_browser.post("/projects/asked/turn", data=form | said, headers=HTMX).text
    assert "Saved: A is better. Honest: B. Kind: equal. Comment: “B lies less.”" in saved
    assert judgments()[0].dimensions["Kind"] == {form["A"]: 1, form["B"]: 1}


def test_an_answer_stays_with_its_dimension_when_their_order_is_changed_meanwhile(
    ben_browser: TestClient, ben: User
) -> None:
    with db.work_unit() as session:
        project = open_project(session, "asked", "pair", ben, dimensions=["Honest", "Kind"])
        open_item(session, project, "First?", ["one", "two"])
    page = ben_browser.get("/projects/asked/judge").text
    (of_honest,) = re.findall(r'Honest.*?name="([^"]+)"', page, re.DOTALL)[:1]
    with db.work_unit() as session:
        session.get_one(Project, project.id).dimensions = ["Kind", "Honest"]
    form = form_of(page)
    said = form | {"choice": "tie", of_honest: form["B"]}
    ben_browser.post("/projects/asked/turn", data=said, headers=HTMX)
    assert judgments()[0].dimensions == {"Honest": {form["A"]: 2, form["B"]: 1}}


@pytest.mark.parametrize(
    ("choice", "own", "words"),
    [("skip harmful", "", "Skipped: Harmful or upsetting."), ("skip", " cut off ", "Skipped: cut off.")],
)
def test_a_skip_says_why(ben_browser: TestClient, pairs: Project, choice: str, own: str, words: str) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text) | {"choice": choice, "skip_words": own}
    assert words in ben_browser.post("/projects/pairs/turn", data=form, headers=HTMX).text
    assert judgments()[0].skip_reason == (own.strip() or "harmful")


def test_what_is_refused_is_named_beside_its_field_and_nothing_is_lost(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        asks = {"comments": "required", "comment_min_length": 100, "dimensions": ["Honest"]}
        project = open_project(session, "strict", "pair", ben, **asks)
        open_item(session, project, "First?", ["one", "two"])
    form = form_of(ben_browser.get("/projects/strict/judge").text)
    said = {"choice": form["B"], "comment": KEPT, "dimension.Honest": form["A"]}
    for headers in (HTMX, {}):
        refused = ben_browser.post("/projects/strict/turn", data=form | said, headers=headers)
        assert refused.status_code == 422
        assert "this project asks for 100" in refused.text
        assert 'aria-invalid="true"' in refused.text
        assert f">{KEPT}</textarea>" in refused.text
        assert re.search(rf'value="{form["A"]}"[^>]* checked', refused.text)
        assert re.search(rf'value="{form["B"]}"[^>]*aria-pressed="true"', refused.text)
    assert judgments() == []


def test_an_outcome_that_is_not_offered_has_no_button_and_is_refused(ben_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "bare", "pair", ben, outcomes=["ranked"], comments="off")
        open_item(session, project, "First?", ["one", "two"])
    page = ben_browser.get("/projects/bare/judge").text
    assert page.count('name="choice"') == 2
    assert "<textarea" not in page
    for choice in ("tie", "all_bad", "skip"):
        refused = ben_browser.post("/projects/bare/turn", data=form_of(page) | {"choice": choice}, headers=HTMX)
        assert refused.status_code == 422
    assert judgments() == []


def test_undo_fills_in_what_was_taken_back(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text)
    after = ben_browser.post("/projects/pairs/turn", data=form | {"choice": form["A"], "comment": KEPT}, headers=HTMX)
    ben_browser.post("/projects/pairs/undo", data=undo_of(after.text))
    for _ in range(2):
        back = ben_browser.get("/projects/pairs/judge").text
        assert f">{KEPT}</textarea>" in back
        assert re.search(rf'value="{form["A"]}"[^>]*aria-pressed="true"', back)


def test_what_came_too_late_for_one_item_is_not_filled_in_for_the_next(ben_browser: TestClient, pairs: Project) -> None:
    form = form_of(ben_browser.get("/projects/pairs/judge").text)
    ben_browser.post("/projects/pairs/turn", data=form | {"choice": "tie"}, headers=HTMX)
    late = ben_browser.post("/projects/pairs/turn", data=form | {"choice": form["A"], "comment": KEPT}, headers=HTMX)
    assert "Second?" in late.text
    assert KEPT not in late.text


def test_work_after_the_lease_is_kept(ben_browser: TestClient, ada_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        project = open_project(session, "late", "pair", ben)
        open_item(session, project, "Only?", ["x", "y"])
    form = form_of(ben_browser.get("/projects/late/judge").text)
    leases_run_out()
    with db.work_unit() as session:
        expire(session)
    others = form_of(ada_browser.get("/projects/late/judge").text)
    ada_browser.post("/projects/late/turn", data=others | {"choice": "tie"})
    saved = ben_browser.post("/projects/late/turn", data=form | {"choice": form["A"]}, headers=HTMX).text
    assert "Saved: A is better." in saved
    assert [(one.outcome, one.counted) for one in judgments()] == [("tie", True), ("ranked", False)]


def test_a_turn_is_renewed_while_its_page_is_open(
    ben_browser: TestClient, cleo_browser: TestClient, ada_browser: TestClient, nobody: TestClient, pairs: Project
) -> None:
    page = ben_browser.get("/projects/pairs/judge").text
    (path,) = re.findall(r'data-renew="([^"]+)"', page)
    with db.work_unit() as session:
        session.execute(text("UPDATE assignment SET expires_at = now() + interval '5 seconds'"))
    assert ben_browser.post(path).status_code == 204
    assert value("SELECT expires_at > now() + interval '29 minutes' FROM assignment")
    assert [browser.post(path).status_code for browser in (cleo_browser, ada_browser, nobody)] == [404, 404, 303]
    ben_browser.post("/projects/pairs/turn", data=form_of(page) | {"choice": "tie"})
    assert ben_browser.post(path).status_code == 409


def test_the_layout_is_remembered_and_drawn_by_the_server(ben_browser: TestClient, pairs: Project) -> None:
    page = "/projects/pairs/judge"
    assert "turn--stacked" not in ben_browser.get(page).text
    assert ben_browser.get(f"{page}?layout=stacked").headers["location"] == page
    form = form_of(ben_browser.get(page).text)
    assert 'class="turn turn--stacked"' in ben_browser.get(page).text
    assert "turn--stacked" in ben_browser.post("/projects/pairs/turn", data=form | {"choice": "tie"}, headers=HTMX).text
    ben_browser.get(f"{page}?layout=columns")
    ben_browser.get(f"{page}?layout=banana")
    assert "turn--stacked" not in ben_browser.get(page).text
