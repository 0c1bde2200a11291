"""The pages of a project's items."""

from fastapi.testclient import TestClient

from app.models import User
from tests.queued import claimed, judged, make_gold, queued, value


def act(browser: TestClient, do: str, **form: object) -> int:
    answer = browser.post("/projects/words/items/1/change", data={"do": do, **form})
    return answer.status_code


def places() -> dict[str, object]:
    best, worst = value("SELECT response_ids FROM item WHERE id = 1")
    return {f"place.{best}": 1, f"place.{worst}": 2}


def test_the_list_shows_items_filters_them_and_looks_for_words(ada_browser: TestClient, ben: User):
    project = queued(ben, items=3)
    judged(ben, claimed(ben, project))
    make_gold(int(value("SELECT min(id) FROM item WHERE open_slots = 1")))
    page = ada_browser.get("/projects/words/items").text
    assert all(f"words {number}" in page for number in range(3))
    assert "known answer" in page
    assert "1 of 1" in page
    for which, shown in {
        "open": 1,
        "judged": 1,
        "gold": 1,
        "set_aside": 0,
        "urgent": 0,
        "reserved": 0,
        "repeats": 0,
    }.items():
        assert ada_browser.get(f"/projects/words/items?which={which}").text.count("/projects/words/items/") == shown
    found = ada_browser.get("/projects/words/items?words=WORDS+2").text
    assert found.count("/projects/words/items/") == 1
    assert "No item is like this" in ada_browser.get("/projects/words/items?words=elephant").text


def test_an_item_shows_its_responses_with_their_models_and_all_that_was_said(ada_browser: TestClient, ben: User):
    project = queued(ben, items=1)
    judged(ben, claimed(ben, project))
    page = ada_browser.get("/projects/words/items/1").text
    for words in ("words 0.0", "words 0.1", "m0", "m1", "Ben", "by chance"):
        assert words in page


def test_each_button_does_what_it_says(ada_browser: TestClient, ben: User):
    queued(ben, items=1)
    assert act(ada_browser, "set_aside") == 303
    assert value("SELECT set_aside FROM item")
    assert "Nobody is given it" in ada_browser.get("/projects/words/items/1").text
    assert act(ada_browser, "open") == 303
    assert act(ada_browser, "urgent") == 303
    assert value("SELECT priority FROM item") < 0
    assert act(ada_browser, "normal") == 303
    assert act(ada_browser, "reserve", user=ben.id) == 303
    assert value("SELECT reserved_for FROM item") == ben.id
    assert act(ada_browser, "reserve", user="") == 303
    assert act(ada_browser, "training", **places()) == 303
    assert value("SELECT is_training FROM item")
    assert act(ada_browser, "gold", **places()) == 303
    assert value("SELECT gold->>'outcome' FROM item WHERE NOT is_training") == "ranked"
    assert "Make ordinary" in ada_browser.get("/projects/words/items/1").text
    assert act(ada_browser, "gold", outcome="all_bad") == 303
    assert act(ada_browser, "ordinary") == 303
    assert value("SELECT ARRAY[wanted, open_slots] FROM item") == [1, 1]


def test_what_is_refused_is_said_on_the_page_and_changes_nothing(ada_browser: TestClient, ben: User, cleo: User):
    project = queued(ben, items=1)
    claimed(ben, project)
    assert act(ada_browser, "reserve", user=ben.id) == 409
    assert act(ada_browser, "reserve", user=cleo.id) == 422
    assert act(ada_browser, "reserve", user="x") == 422
    assert act(ada_browser, "gold") == 422
    assert act(ada_browser, "dance") == 422
    assert value("SELECT count(*) FROM audit WHERE action LIKE 'item.%'") == 0
    assert value("SELECT gold FROM item") is None


def test_items_are_for_who_manages_the_project(
    ben_browser: TestClient, cleo_browser: TestClient, nobody: TestClient, ben: User
):
    queued(ben, items=1)
    for browser, status in ((ben_browser, 403), (cleo_browser, 404), (nobody, 303)):
        assert browser.get("/projects/words/items").status_code == status
        assert browser.get("/projects/words/items/1").status_code == status
        assert act(browser, "set_aside") == status
    assert value("SELECT set_aside FROM item") is False


def test_an_item_that_is_not_there_is_not_found(ada_browser: TestClient):
    queued(items=1)
    queued(items=1, slug="other")
    assert ada_browser.get("/projects/words/items/2").status_code == 404
    assert ada_browser.get("/projects/words/items?words=%00").status_code == 422
