"""Ben looks for what he said, reads it again, changes his mind and takes it back; nobody else can."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app import db
from app.judgments import history
from app.models import Judgment, Project, Response, User
from tests.queued import claimed, judged, queued, undone, value

MINE = "/projects/words/mine"


@pytest.fixture
def words(ben: User, ada: User) -> Project:
    return queued(ben, ada, items=3, wanted=2)


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to this address."""
    form = page[page.index(f'action="{action}"') :]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[: form.index("</form>")]))


def listed(page: str) -> list[int]:
    return [int(key) for key in re.findall(rf'href="{MINE}/(\d+)"', page)]


def judgments() -> list[Judgment]:
    with db.work_unit() as session:
        return list(session.scalars(select(Judgment).order_by(Judgment.id)))


def test_it_lists_what_one_said_newest_first(ben_browser: TestClient, ben: User, words: Project) -> None:
    first, second = (judged(ben, claimed(ben, words)).judgment["assignment"] for _ in range(2))
    page = ben_browser.get(MINE).text
    assert listed(page) == [second, first]
    assert page.count("A is better") == 2


def test_nothing_is_said_of_models_gold_or_repeats(ben_browser: TestClient, ben: User, words: Project) -> None:
    turn = claimed(ben, words)
    judged(ben, turn)
    with db.work_unit() as session:
        session.execute(
            text('UPDATE item SET wanted = 0, open_slots = 0, gold = \'{"outcome": "tie"}\' WHERE id = :id'),
            {"id": turn.item_id},
        )
        for response in session.scalars(select(Response)):
            response.model = "secret-model"
    for path in (MINE, f"{MINE}/{turn.assignment_id}", f"{MINE}/{turn.assignment_id}/change"):
        page = ben_browser.get(path).text
        assert turn.responses[0][1] in page or path == MINE
        for word in ("secret-model", "gold", "repeat", "known answer"):
            assert word not in page


def test_it_shows_only_ones_own(ben_browser: TestClient, ada: User, ben: User, words: Project) -> None:
    judged(ada, claimed(ada, words), outcome="all_bad", comment="Adas words")
    judged(ben, claimed(ben, words))
    page = ben_browser.get(MINE).text
    assert len(listed(page)) == 1
    assert "Adas words" not in page
    assert listed(ben_browser.get(f"{MINE}?q=Adas").text) == []


@pytest.mark.parametrize("q", ["words 1", "WORDS 1", "words 1.0", "  words 1 "])
def test_it_finds_words_of_the_prompt_and_of_a_response(
    ben_browser: TestClient, ben: User, words: Project, q: str
) -> None:
    turns = []
    for _ in range(3):
        turn = claimed(ben, words)
        turns.append(turn)
        judged(ben, turn)
    wanted = next(turn.assignment_id for turn in turns if turn.prompt[0]["content"] == "words 1")
    assert listed(ben_browser.get(MINE, params={"q": q}).text) == [wanted]


def test_it_finds_words_of_the_comment_as_they_are(ben_browser: TestClient, ben: User, words: Project) -> None:
    stored = judged(ben, claimed(ben, words), outcome="tie", comment="100 % the same_thing \\ 'quoted'")
    judged(ben, claimed(ben, words), outcome="tie", comment="1000 the same thing")
    for q in ("100 %", "same_thing", "\\", "'quoted'"):
        assert listed(ben_browser.get(MINE, params={"q": q}).text) == [stored.judgment["assignment"]]


def test_it_filters_by_what_was_said_and_when(ben_browser: TestClient, ben: User, words: Project) -> None:
    choice = judged(ben, claimed(ben, words)).judgment
    tie = judged(ben, claimed(ben, words), outcome="tie").judgment
    with db.work_unit() as session:
        session.get_one(Judgment, choice["id"]).created_at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert listed(ben_browser.get(f"{MINE}?outcome=tie").text) == [tie["assignment"]]
    assert listed(ben_browser.get(f"{MINE}?until=2026-03-01").text) == [choice["assignment"]]
    assert listed(ben_browser.get(f"{MINE}?since=2026-03-02&until={tomorrow}").text) == [tie["assignment"]]
    assert listed(ben_browser.get(f"{MINE}?until=2026-02-28").text) == []


@pytest.mark.parametrize(
    ("query", "words_of_it"),
    [
        ({"since": "soon"}, "year-month-day"),
        ({"until": "0001-01-01"}, "year-month-day"),
        ({"outcome": "banana"}, "no such outcome"),
        ({"q": "x" * 201}, "at most 200"),
        ({"q": "\0"}, "without NUL"),
    ],
)
def test_a_search_that_cannot_be_is_told_beside_its_field(
    ben_browser: TestClient, words: Project, query: dict[str, str], words_of_it: str
) -> None:
    answer = ben_browser.get(MINE, params=query)
    assert answer.status_code == 422
    assert words_of_it in answer.text
    assert "field--wrong" in answer.text


def test_pages_go_on_where_the_last_one_ended(ben_browser: TestClient, ben: User) -> None:
    project = queued(ben, items=22)
    for _ in range(22):
        judged(ben, claimed(ben, project))
    first = ben_browser.get(f"{MINE}?q=words").text
    (older,) = re.findall(rf'href="({MINE}\?[^"]*after=\d+)"', first)
    second = ben_browser.get(older.replace("&amp;", "&")).text
    assert (len(listed(first)), len(listed(second))) == (20, 2)
    assert not set(listed(first)) & set(listed(second))
    assert not re.search(rf'href="{MINE}[^"]*after=', second)


def test_a_search_stops_after_a_while_and_says_so(
    ben_browser: TestClient, ben: User, words: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOKED_THROUGH", 2)
    oldest = judged(ben, claimed(ben, words), outcome="tie", comment="needle").judgment["assignment"]
    for _ in range(2):
        judged(ben, claimed(ben, words))
    page = ben_browser.get(f"{MINE}?q=needle").text
    assert listed(page) == []
    assert "Search the older ones" in page
    (older,) = re.findall(rf'href="({MINE}\?[^"]*after=\d+)"', page)
    assert listed(ben_browser.get(older.replace("&amp;", "&")).text) == [oldest]


def test_a_judgment_is_shown_as_it_was_with_all_that_was_said(
    ben_browser: TestClient, ben: User, words: Project
) -> None:
    turn = claimed(ben, words)
    again = judged(ben, turn, outcome="tie", comment="As *good*.")
    undone(ben, again)
    judged(ben, claimed(ben, words), outcome="all_bad", comment="No.")
    page = ben_browser.get(f"{MINE}/{turn.assignment_id}").text
    texts = [page.index(f'<p dir="auto">{answer}</p>') for _, answer in turn.responses]
    assert texts == sorted(texts)
    said = [page.rindex(part) for part in ("Both bad", "Taken back", "Equally good")]
    assert said == sorted(said)
    assert "<em>good</em>" in page
    assert page.count("in force") == 1


def test_a_change_is_a_new_revision_and_keeps_the_old_one(ben_browser: TestClient, ben: User, words: Project) -> None:
    turn = claimed(ben, words)
    judged(ben, turn)
    address = f"{MINE}/{turn.assignment_id}/change"
    page = ben_browser.get(address).text
    form = hidden(page, address) | {"choice": turn.responses[1][0], "comment": "On second thoughts."}
    for _ in range(2):  # a double click
        answer = ben_browser.post(address, data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{MINE}/{turn.assignment_id}")
    first, back, new = judgments()
    assert (first.is_current, back.withdrawn, new.is_current) == (False, True, True)
    assert (new.tiers[turn.responses[1][0]], new.comment) == (1, "On second thoughts.")
    assert value("SELECT count(*) FROM preference WHERE is_current") == 1


def test_a_change_that_is_refused_leaves_the_judgment_in_force(
    ben_browser: TestClient, ben: User, words: Project
) -> None:
    turn = claimed(ben, words)
    judged(ben, turn)
    address = f"{MINE}/{turn.assignment_id}/change"
    form = hidden(ben_browser.get(address).text, address) | {"comment": "kept"}
    for choice in ("banana", "ranked", ""):
        answer = ben_browser.post(address, data=form | {"choice": choice})
        assert answer.status_code == 422
        assert "notice--warn" in answer.text
    assert [(one.outcome, one.is_current) for one in judgments()] == [("ranked", True)]


def test_a_change_of_what_was_changed_meanwhile_is_refused(ben_browser: TestClient, ben: User, words: Project) -> None:
    turn = claimed(ben, words)
    judged(ben, turn)
    address = f"{MINE}/{turn.assignment_id}/change"
    one, other = (hidden(ben_browser.get(address).text, address) for _ in range(2))
    assert ben_browser.post(address, data=one | {"choice": "tie"}).status_code == 303
    assert ben_browser.post(address, data=other | {"choice": "all_bad"}).status_code == 409
    assert [one.outcome for one in judgments() if one.is_current] == ["tie"]


def test_the_form_of_a_ranking_holds_what_was_said(ben_browser: TestClient, ben: User) -> None:
    project = queued(ben, items=1, responses=3)
    turn = claimed(ben, project)
    judged(ben, turn)
    page = ben_browser.get(f"{MINE}/{turn.assignment_id}/change").text
    for place, (key, _) in enumerate(turn.responses, start=1):
        assert re.search(rf'name="tier.{key}" value="{place}"[^>]* checked', page)


def test_what_is_taken_back_can_be_judged_again(ben_browser: TestClient, ben: User, words: Project) -> None:
    turn = claimed(ben, words)
    judged(ben, turn)
    one = f"{MINE}/{turn.assignment_id}"
    form = hidden(ben_browser.get(one).text, f"{one}/withdraw")
    answer = ben_browser.post(f"{one}/withdraw", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects/words/judge")
    assert turn.prompt[0]["content"] in ben_browser.get("/projects/words/judge").text
    assert listed(ben_browser.get(MINE).text) == []
    assert listed(ben_browser.get(f"{MINE}?outcome=withdrawn").text) == [turn.assignment_id]
    page = ben_browser.get(one).text
    assert "Judge it again" in page
    assert f'action="{one}/withdraw"' not in page
    assert ben_browser.get(f"{one}/change").status_code == 303


def test_a_judgment_of_another_turn_is_not_touched_by_this_ones_form(
    ben_browser: TestClient, ben: User, words: Project
) -> None:
    first = claimed(ben, words)
    judged(ben, first)
    other = judged(ben, claimed(ben, words)).judgment["id"]
    form = {"judgment": str(other), "key": "k", "choice": "tie"}
    assert ben_browser.post(f"{MINE}/{first.assignment_id}/withdraw", data=form).status_code == 409
    assert ben_browser.post(f"{MINE}/{first.assignment_id}/change", data=form).status_code == 409
    assert all(one.is_current for one in judgments())


def test_strangers_find_nothing(
    ben: User, words: Project, cleo_browser: TestClient, ada_browser: TestClient, nobody: TestClient
) -> None:
    stored = judged(ben, claimed(ben, words)).judgment
    one = f"{MINE}/{stored['assignment']}"
    form = {"judgment": str(stored["id"]), "key": "k", "choice": "tie"}
    assert cleo_browser.get(MINE).status_code == 404
    for stranger in (cleo_browser, ada_browser):
        for path in (one, f"{one}/change"):
            assert stranger.get(path).status_code == 404
        for path in (f"{one}/change", f"{one}/withdraw"):
            assert stranger.post(path, data=form).status_code == 404
    for path in (MINE, one, f"{one}/change"):
        assert nobody.get(path).status_code == 303
    assert [one.is_current for one in judgments()] == [True]


def test_a_turn_that_is_still_open_is_no_judgment(ben_browser: TestClient, ben: User, words: Project) -> None:
    turn = claimed(ben, words)
    assert ben_browser.get(f"{MINE}/{turn.assignment_id}").status_code == 404
    for wrong in ("0", "99", "x", str(2**70)):
        assert ben_browser.get(f"{MINE}/{wrong}").status_code in {404, 422}


def test_the_judging_page_and_the_projects_page_lead_there(ben_browser: TestClient, words: Project) -> None:
    for path in ("/projects/words", "/projects/words/judge"):
        assert f'href="{MINE}"' in ben_browser.get(path).text
