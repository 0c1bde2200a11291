"""Items that are reserved for somebody who cannot judge them are shown to the manager and freed with one click."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import Project, User
from app.people import service as people
from app.projects import service
from app.prompts import items
from tests.queued import asked, claimed, judged, person_of, queued, slots_that_do_not_add_up, value

HERE = "/projects/words"
Story = Callable[[User, User, Project], object]


def reserved(ada: User, ben: User, *others: User, wanted: int = 1) -> Project:
    project = queued(ben, *others, items=1, wanted=wanted)
    reserve(ada, ben, project)
    return project


def reserve(ada: User, ben: User, project: Project) -> None:
    with db.work_unit() as session:
        items.reserve(items.managed_item(session, person_of(ada), project, int(value("SELECT min(id) FROM item"))), ben)


def leaves(ada: User, ben: User, project: Project) -> None:
    with db.work_unit() as session:
        service.remove_member(session, person_of(ada), session.merge(project, load=False), ben.id)


def is_shut_out(ada: User, ben: User, project: Project) -> None:
    with db.work_unit() as session:
        people.disable(session, ben.email or "", by=ada.id)


def skips(ada: User, ben: User, project: Project) -> None:
    judged(ben, claimed(ben, project), outcome="skip")


@pytest.mark.parametrize("story", [leaves, is_shut_out, skips])
def test_what_waits_in_vain_is_told_and_freed_with_one_click(
    story: Story, ada: User, ben: User, cleo: User, ada_browser: TestClient
):
    project = reserved(ada, ben, cleo)
    assert "Give them to everybody" not in ada_browser.get(HERE).text
    story(ada, ben, project)
    assert asked(cleo, project) is None, "nothing is given to others by itself"
    assert "1 item is reserved for somebody who cannot judge it" in ada_browser.get(HERE).text
    assert "words 0" in ada_browser.get(f"{HERE}/items?which=stuck").text
    assert ada_browser.post(f"{HERE}/reservations/free").status_code == 303
    page = ada_browser.get(HERE).text
    assert ("1 item is for everybody now." in page, "Give them to everybody" in page) == (True, False)
    assert "freed items that were reserved" in ada_browser.get(f"{HERE}/history").text
    judged(cleo, claimed(cleo, project))
    assert value("SELECT open_slots FROM item") == 0
    assert slots_that_do_not_add_up() == []


def test_a_slot_given_back_beside_a_fulfilled_reservation_is_no_longer_left_over(
    ada: User, ben: User, cleo: User, ada_api: TestClient
):
    project = queued(ben, cleo, items=1, wanted=1)
    turn = claimed(cleo, project)
    reserve(ada, ben, project)
    judged(ben, claimed(ben, project))
    judged(cleo, turn, outcome="skip")
    assert value("SELECT open_slots FROM item") == 1
    assert len(ada_api.get("/api/v1/projects/words/items?which=stuck").json()) == 1
    assert ada_api.post("/api/v1/projects/words/reservations/free").json() == {"freed": 1}
    assert ada_api.post("/api/v1/projects/words/reservations/free").json() == {"freed": 0}
    assert value("SELECT open_slots FROM item") == 0, "it has all that the project wants"
    assert slots_that_do_not_add_up() == []


def test_what_somebody_can_still_judge_stays_theirs(ada: User, ben: User, cleo: User, ada_api: TestClient):
    project = reserved(ada, ben, cleo, wanted=2)
    assert ada_api.post("/api/v1/projects/words/reservations/free").json() == {"freed": 0}
    assert asked(cleo, project) is None
    assert asked(ben, project)


def test_who_is_left_with_nothing_is_told_that_others_are_waited_for(
    ada: User, ben: User, cleo: User, cleo_browser: TestClient
):
    reserved(ada, ben, cleo)
    page = cleo_browser.get(f"{HERE}/judge").text
    assert "Nothing left for you just now" in page
    assert "Every item of this project has all the judgments" not in page
