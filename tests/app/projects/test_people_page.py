"""Pages: who takes part in a project, the links into it, and what was done to it."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import db
from app.models import Audit, Invitation, Membership, Project, User
from app.queue.service import claim, expire
from tests.app.people.test_views import secret_in
from tests.app.projects.test_queries import made_manager
from tests.conftest import client
from tests.queued import queued, slots_that_do_not_add_up, value

HERE = "/projects/words"


def roles() -> dict[int, str]:
    with db.work_unit() as session:
        return {row.user_id: row.role for row in session.scalars(select(Membership))}


@pytest.fixture
def managed(ben: User) -> None:
    """A project that Ben manages."""
    queued(ben, items=2)
    made_manager(ben)


def test_a_manager_says_who_takes_part_and_as_what(managed: None, ben: User, ben_browser: TestClient, cleo: User):
    added = ben_browser.post(f"{HERE}/members", data={"email": "cleo@example.org"})
    assert added.headers["location"] == f"{HERE}/people"
    assert "Cleo may judge here now." in ben_browser.get(f"{HERE}/people").text
    assert roles() == {ben.id: "manager", cleo.id: "annotator"}
    ben_browser.post(f"{HERE}/members/{cleo.id}/role", data={"role": "manager"})
    assert roles()[cleo.id] == "manager"
    ben_browser.post(f"{HERE}/members/{cleo.id}/remove")
    assert roles() == {ben.id: "manager"}
    assert ben_browser.post(f"{HERE}/members/{cleo.id}/remove").status_code == 404
    assert ben_browser.post(f"{HERE}/members/{cleo.id}/role", data={"role": "manager"}).status_code == 404
    assert ben_browser.post(f"{HERE}/members/{2**70}/remove").status_code == 404


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"email": "dan@example.org"}, "no account for dan@example.org"),
        ({"email": "nonsense"}, "is not an e-mail address"),
        ({"email": "a\0@b"}, "is not an e-mail address"),
        ({"email": "cleo@example.org", "role": "king"}, "a member is one of"),
    ],
)
def test_somebody_who_cannot_be_added_is_said_beside_the_field(
    managed: None, ben_browser: TestClient, cleo: User, form: dict[str, str], words: str
):
    refused = ben_browser.post(f"{HERE}/members", data=form)
    assert refused.status_code == 422
    assert words in refused.text.replace("&#39;", "'")
    assert len(roles()) == 1


def test_a_role_that_is_none_is_refused(managed: None, ben: User, ben_browser: TestClient):
    assert ben_browser.post(f"{HERE}/members/{ben.id}/role", data={"role": "admin"}).status_code == 422
    assert roles() == {ben.id: "manager"}


def test_who_is_taken_out_gives_their_turn_back(managed: None, ben_browser: TestClient, cleo: User):
    ben_browser.post(f"{HERE}/members", data={"email": "cleo@example.org"})
    with db.work_unit() as session:
        assert claim(session, cleo.id, session.scalars(select(Project.id)).one())
    ben_browser.post(f"{HERE}/members/{cleo.id}/remove")
    with db.work_unit() as session:
        assert expire(session) == 1
    assert value("SELECT sum(open_slots) FROM item") == 2
    assert slots_that_do_not_add_up() == []


def test_who_gives_up_a_project_themselves_is_led_away(managed: None, ben: User, ben_browser: TestClient):
    answer = ben_browser.post(f"{HERE}/members/{ben.id}/role", data={"role": "annotator"})
    assert answer.headers["location"] == HERE
    made_manager(ben)
    assert ben_browser.post(f"{HERE}/members/{ben.id}/remove").headers["location"] == "/projects"


def invited(browser: TestClient, **form: str) -> str:
    page = browser.post(f"{HERE}/invitations", data=form)
    assert page.headers["cache-control"] == "no-store"
    return secret_in(page.text).removeprefix("http://testserver")


def test_a_link_is_shown_once_listed_and_revoked(managed: None, ben_browser: TestClient):
    link = invited(ben_browser, role="annotator", note="Dan from the lab")
    page = ben_browser.get(f"{HERE}/people").text
    assert "Dan from the lab" in page
    assert link not in page
    assert ben_browser.get(f"{HERE}/invitations").headers["location"] == f"{HERE}/people"
    assert client().get(f"{HERE}/invitations").headers["location"].startswith("/sign-in")
    with db.work_unit() as session:
        row = session.scalars(select(Invitation)).one()
    assert link.rpartition("/")[2].encode() not in row.token_hash
    ben_browser.post(f"{HERE}/invitations/{row.id}/revoke")
    assert client().get(link).status_code == 404
    assert "Dan from the lab" not in ben_browser.get(f"{HERE}/people").text
    ben_browser.post(f"{HERE}/invitations/{row.id}/revoke")
    assert "no such link any more" in ben_browser.get(f"{HERE}/people").text


@pytest.mark.parametrize("form", [{"role": "admin"}, {"role": "king"}, {"days": "0"}, {"days": "91"}, {"note": "a\nb"}])
def test_a_link_that_may_not_be_made_is_refused(managed: None, ben_browser: TestClient, form: dict[str, str]):
    assert ben_browser.post(f"{HERE}/invitations", data=form).status_code == 422
    assert value("SELECT count(*) FROM invitation") == 0


def test_a_link_into_another_project_is_not_theirs_to_revoke(
    managed: None, ada_browser: TestClient, ben_browser: TestClient
):
    queued(slug="other", items=0)
    ada_browser.post("/projects/other/invitations", data={"role": "annotator"})
    ada_browser.post("/people/invitations", data={})
    for number in (1, 2):
        ben_browser.post(f"{HERE}/invitations/{number}/revoke")
    assert value("SELECT count(*) FROM invitation WHERE revoked_at IS NULL") == 2


@pytest.mark.parametrize("end", ["role", "remove"])
def test_links_end_with_the_managing_of_whoever_made_them(
    managed: None, ada_browser: TestClient, ben: User, ben_browser: TestClient, end: str
):
    link = invited(ben_browser, role="manager")
    ada_browser.post(f"{HERE}/members/{ben.id}/{end}", data={"role": "annotator"})
    assert client().get(link).status_code == 404


def test_what_was_done_is_told_to_the_owner(managed: None, ben_browser: TestClient, cleo: User):
    ben_browser.post(
        f"{HERE}/settings",
        data={"name": "Words", "judgments_per_item": "3", "gold_share": "20", "comments": "required"},
    )
    ben_browser.post(f"{HERE}/members", data={"email": "cleo@example.org"})
    ben_browser.post("/tokens", data={"scopes": ["read"], "name": "words"})  # a subject of anybody's choice
    ben_browser.post("/projects/words/import", files={"file": ("a.jsonl", b'{"prompt": "x", "responses": ["a", "b"]}')})
    page = ben_browser.get(f"{HERE}/history").text
    assert "Judgments per item: 1 → 3" in page
    assert "Turns spent on items with a known answer, in percent: 5 → 20" in page
    assert "Comments: may be written → must be written" in page
    assert "added Cleo as annotator" in page
    assert "imported a.jsonl; new items: 1" in page
    assert "token" not in page.split("<main")[1]
    assert page.index("imported") < page.index("added Cleo") < page.index("Judgments per item")


def test_the_history_tells_what_was_done_to_items(managed: None, ben: User, ben_browser: TestClient):
    keys = value("SELECT response_ids FROM item WHERE id = 1")
    places = {f"place.{key}": place for place, key in enumerate(keys, start=1)}
    for do, form in (
        ("set_aside", {}),
        ("open", {}),
        ("urgent", {}),
        ("normal", {}),
        ("reserve", {"user": ben.id}),
        ("reserve", {"user": ""}),
        ("gold", places),
        ("training", places),
        ("ordinary", {}),
    ):
        assert ben_browser.post(f"{HERE}/items/1/change", data={"do": do, **form}).status_code == 303
    page = ben_browser.get(f"{HERE}/history").text
    for words in (
        "set item 1 aside",
        "opened item 1 again",
        "made item 1 urgent",
        "gave item 1 its turn among the others",
        "reserved item 1 for Ben",
        "gave item 1 to everybody",
        "made item 1 a hidden check with a known answer",
        "made item 1 training with a known answer",
        "made item 1 ordinary",
    ):
        assert words in page


def test_the_history_goes_on_by_pages_and_keeps_to_its_project(managed: None, ben: User, ben_browser: TestClient):
    with db.work_unit() as session:
        for number in range(101):
            session.add(Audit(user_id=ben.id, action="member.removed", subject="words", detail={"name": f"N{number}."}))
        session.add(Audit(user_id=ben.id, action="member.removed", subject="other", detail={"name": "Stranger"}))
    first = ben_browser.get(f"{HERE}/history").text
    assert "N100." in first
    assert "N0." not in first
    assert "Stranger" not in first
    assert "N0." in ben_browser.get(f"{HERE}/history?after=2").text
