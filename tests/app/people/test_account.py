"""Pages: one's own account, and what an admin may do to those of others."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import access, db
from app.errors import Conflict
from app.models import Audit, User
from app.people import service as people
from app.people.attempts import TRIES_OF_PAIR, allowances, take
from app.queue.service import expire
from tests.conftest import client, signed_in
from tests.queued import claimed, queued, slots_that_do_not_add_up, value

CHANGE = {"current": "ben-password", "password": "a-better-password"}


def test_one_changes_ones_own_password_and_stays_signed_in_here_alone(ben: User, ben_browser: TestClient):
    other = signed_in(ben)
    assert ben_browser.post("/account/password", data=CHANGE).headers["location"] == "/account"
    assert "Your password is changed" in ben_browser.get("/account").text
    assert other.get("/account").status_code == 303
    form = {"email": ben.email or "", "password": "a-better-password"}
    assert client().post("/sign-in", data=form).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "words"), [({"current": "no"}, "not your current password"), ({"password": "short"}, "characters")]
)
def test_a_password_that_cannot_be_changed_is_said(ben_browser: TestClient, wrong: dict[str, str], words: str):
    refused = ben_browser.post("/account/password", data=CHANGE | wrong)
    assert refused.status_code == 422
    assert words in refused.text
    assert ben_browser.get("/account").status_code == 200


def test_the_password_of_now_cannot_be_guessed_for_ever(ben_browser: TestClient):
    assert ben_browser.post("/account/password", data=CHANGE | {"current": "no"}).status_code == 422
    for _ in range(TRIES_OF_PAIR - 1):
        take(allowances("ben@example.org", "anywhere", is_known=True))
    refused = ben_browser.post("/account/password", data=CHANGE)
    assert refused.status_code == 429
    assert "Please try again in" in refused.text


@pytest.mark.parametrize("way", ["/sign-in", "/account/password"])
def test_an_old_password_that_is_being_looked_at_while_it_is_changed_does_nothing(
    ben: User, ben_browser: TestClient, way: str
):
    form = {"email": "ben@example.org", "current": "ben-password", "password": "ben-password"}
    with ThreadPoolExecutor(1) as thread, ExitStack() as gate:
        for _ in range(2):
            gate.enter_context(access._few_at_once)
        answer = thread.submit(ben_browser.post, way, data=form)
        while not value("SELECT count(*) FROM sign_in_attempt WHERE until > now()"):
            assert not answer.done()  # once it is counted, their row has been read
        with db.work_unit() as session:
            people.set_password(session, "ben@example.org")
        gate.close()
        assert answer.result().status_code == 422
    assert value("SELECT count(*) FROM browser_session") == 0


def test_the_account_page_tells_who_one_is(ben: User, ben_browser: TestClient):
    queued(ben, items=0)
    page = ben_browser.get("/account").text
    assert "ben@example.org" in page
    assert 'href="/projects/words"' in page
    assert 'href="/tokens"' in page


def test_a_disabled_account_is_out_and_its_turn_goes_to_others(
    ada_browser: TestClient, ben: User, ben_browser: TestClient, ben_api: TestClient
):
    project = queued(ben, items=1)
    claimed(ben, project)
    assert ada_browser.post("/people/disable", data={"email": "ben@example.org"}).headers["location"] == "/people"
    assert "Ben is shut out" in ada_browser.get("/people").text
    assert ben_browser.get("/projects").status_code == 303
    assert ben_api.get("/api/v1/projects").status_code == 401
    assert client().post("/sign-in", data={"email": "ben@example.org", "password": "ben-password"}).status_code == 422
    with db.work_unit() as session:
        assert expire(session) == 1
    assert slots_that_do_not_add_up() == []
    ada_browser.post("/people/enable", data={"email": "ben@example.org"})
    assert client().post("/sign-in", data={"email": "ben@example.org", "password": "ben-password"}).status_code == 303
    assert ben_api.get("/api/v1/projects").status_code == 401  # a new one has to be made
    with db.work_unit() as session:
        done = session.scalars(select(Audit.action).where(Audit.action.in_(["user.disabled", "user.enabled"])))
        assert list(done) == ["user.disabled", "user.enabled"]


def test_the_last_admin_cannot_be_shut_out(ada: User, ada_browser: TestClient):
    assert ada_browser.post("/people/disable", data={"email": "ada@example.org"}).status_code == 409
    with db.work_unit() as session, pytest.raises(Conflict, match="only admin"):
        people.disable(session, "ada@example.org")
    assert value('SELECT count(*) FROM "user" WHERE disabled_at IS NOT NULL') == 0
    assert ada_browser.post("/people/disable", data={"email": "who@example.org"}).status_code == 404


def test_scopes_of_tokens_follow_the_role(ben: User, ben_browser: TestClient):
    queued(ben, items=0)
    assert ben_browser.post("/tokens", data={"scopes": ["import"]}).status_code == 422
    with db.work_unit() as session:
        people.join(session, ben.id, value("SELECT id FROM project"), "manager")
    page = ben_browser.get("/tokens").text
    assert 'value="import"' in page
    assert 'value="train"' not in page
    assert ben_browser.post("/tokens", data={"scopes": ["import", "export", "admin"]}).status_code == 200
    assert ben_browser.post("/tokens", data={"scopes": ["train"]}).status_code == 422
