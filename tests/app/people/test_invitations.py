"""Links by which people come in: once, until they end, as what they were made for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app import access, db
from app.models import Invitation, Membership, Project, User
from app.people import invitations
from app.people import service as people
from tests.conftest import client, signed_in
from tests.queued import person_of, queued, value

DAN = {"way": "new", "email": "Dan@Example.org", "name": "Dan", "password": "dan-password"}


def link_for(ada: User, project: Project | None, role: str) -> str:
    with db.work_unit() as session:
        return "/join/" + invitations.invite(session, person_of(ada), project, role=role)


def roles() -> dict[str | None, str]:
    with db.work_unit() as session:
        rows = session.execute(select(User.email, Membership.role).join(Membership, Membership.user_id == User.id))
        return {row.email: row.role for row in rows}


@pytest.mark.parametrize("role", ["annotator", "manager"])
def test_somebody_makes_an_account_by_a_link(ada: User, role: str):
    link = link_for(ada, queued(items=1), role)
    dan = client()
    page = dan.get(link)
    assert page.headers["cache-control"] == "no-store"
    assert "Ada asks you" in page.text
    assert "“Words”" in page.text
    answer = dan.post(link, data=DAN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects/words")
    assert "Welcome. You are in." in dan.get("/projects/words").text
    assert roles() == {"dan@example.org": role}
    assert client().get(link).status_code == 404
    assert client().post(link, data=DAN | {"email": "eve@example.org"}).status_code == 404
    assert value("SELECT role FROM \"user\" WHERE email = 'dan@example.org'") == "annotator"


def test_somebody_becomes_an_admin_by_a_link(ada: User):
    link = link_for(ada, None, "admin")
    dan = client()
    assert dan.post(link, data=DAN).headers["location"] == "/people"
    assert dan.get("/people").status_code == 200


def test_an_account_that_is_there_comes_in_by_signing_in(ada: User, ben: User):
    link = link_for(ada, queued(items=1), "manager")
    browser = client()
    refused = browser.post(link, data={"way": "sign_in", "email": ben.email or "", "password": "wrong"})
    assert refused.status_code == 422
    assert "do not belong together" in refused.text
    assert roles() == {}
    assert browser.post(link, data={"way": "sign_in", "email": ben.email or "", "password": "ben-password"}).is_redirect
    assert roles() == {ben.email: "manager"}
    assert browser.get("/projects/words/settings").status_code == 200


def test_somebody_who_is_signed_in_accepts_with_one_button(ada: User, ben: User, ben_browser: TestClient):
    link = link_for(ada, queued(ben, items=1), "manager")
    assert "Accept as Ben" in ben_browser.get(link).text
    assert ben_browser.post(link, data={"way": "me"}).is_redirect
    assert roles() == {ben.email: "manager"}


def test_a_manager_who_is_asked_in_as_an_annotator_stays_one(ada: User, ben_browser: TestClient, ben: User):
    project = queued(ben, items=1)
    ben_browser.post(link_for(ada, project, "manager"), data={"way": "me"})
    ben_browser.post(link_for(ada, project, "annotator"), data={"way": "me"})
    assert roles() == {ben.email: "manager"}


def test_nobody_is_somebody_by_saying_me(ada: User):
    link = link_for(ada, queued(items=1), "manager")
    assert client().post(link, data={"way": "me"}).status_code == 422
    assert client().get(link).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "short"}, "characters"),
        ({"password": "x" * 1001}, "characters"),
        ({"email": "nonsense"}, "is not an e-mail address"),
        ({"email": "ada@example.org"}, "there is an account for ada@example.org already"),
        ({"name": " "}, "what others should call you"),
        ({"name": "a\0b"}, "one line"),
        ({"name": "x" * 201}, "one line"),
    ],
)
def test_a_refused_form_keeps_what_was_typed_and_the_link(ada: User, wrong: dict[str, str], words: str):
    link = link_for(ada, queued(items=1), "annotator")
    refused = client().post(link, data=DAN | wrong)
    assert refused.status_code in {409, 422}
    assert words in refused.text.replace("&#39;", "'")
    assert "Dan" in refused.text
    assert "dan-password" not in refused.text
    assert client().post(link, data=DAN).is_redirect


@pytest.mark.parametrize("change", ["expires_at", "revoked_at"])
def test_a_link_that_has_ended_lets_nobody_in(ada: User, database: Engine, change: str):
    link = link_for(ada, queued(items=1), "annotator")
    with database.begin() as connection:
        connection.execute(update(Invitation).values({change: datetime.now(UTC) - timedelta(seconds=1)}))
    assert client().get(link).status_code == 404
    assert client().post(link, data=DAN).status_code == 404
    assert value("SELECT count(*) FROM \"user\" WHERE email = 'dan@example.org'") == 0


@pytest.mark.parametrize("secret", ["x", "a%00b", "%F0%9F%8D%8B", "x" * 3000])
def test_a_link_that_nobody_made_is_not_found(nobody: TestClient, database: Engine, secret: str):
    assert nobody.get(f"/join/{secret}").status_code == 404
    assert nobody.post(f"/join/{secret}", data=DAN).status_code == 404


def test_of_many_who_accept_at_once_one_wins(ada: User):
    link = link_for(ada, queued(items=1), "annotator")
    forms = [DAN | {"email": f"dan{number}@example.org"} for number in range(6)]
    with ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(lambda form: client().post(link, data=form).status_code, forms))
    assert sorted(answers) == [303, 404, 404, 404, 404, 404]
    assert len(roles()) == 1
    assert value("SELECT count(*) FROM \"user\" WHERE email LIKE 'dan%'") == 1


def test_a_link_is_used_by_whoever_it_let_in(ada: User):
    link = link_for(ada, queued(items=1), "annotator")
    client().post(link, data=DAN)
    with db.work_unit() as session:
        row = session.scalars(select(Invitation)).one()
        dan = people.user_by_email(session, "dan@example.org")
        assert (row.used_by, row.token_hash) == (dan.id, access.hashed(link.removeprefix("/join/")))
        assert invitations.pending(session, session.scalars(select(Project)).one()) == []


def test_links_of_somebody_who_is_shut_out_let_nobody_in(ada: User, ada_browser: TestClient):
    link = link_for(ada, queued(items=1), "annotator")
    with db.work_unit() as session:
        people.add_user(session, "eve@example.org", role="admin")
    with db.work_unit() as session:
        people.disable(session, "ada@example.org")
    assert client().get(link).status_code == 404


def test_an_admin_link_is_shown_once_and_can_be_revoked(ada: User):
    browser = signed_in(ada)
    assert "/join/" in browser.post("/people/invitations", data={"note": "Eve"}).text
    page = browser.get("/people").text
    assert "Eve" in page
    assert "/join/" not in page
    assert browser.post("/people/invitations", data={"days": "0", "note": "Eve"}).status_code == 422
    browser.post("/people/invitations/1/revoke")
    assert "The link works no more." in browser.get("/people").text
    browser.post("/people/invitations/1/revoke")
    assert "no such link any more" in browser.get("/people").text
