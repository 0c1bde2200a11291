import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import db
from app.models import ApiToken, Membership, User
from app.people.entrance import own_path
from app.settings import get_settings
from tests.conftest import client, token_client
from tests.unjudged import open_project


def secret_in(page: str) -> str:
    found = re.search(r'class="secret__value"[^>]* value="([^"]+)"', page)
    assert found
    return found[1]


def test_it_signs_in_and_leads_back_to_the_page_that_was_wanted(nobody: TestClient, ben: User) -> None:
    sent_away = nobody.get("/tokens?a=b c")
    assert sent_away.status_code == 303
    assert sent_away.headers["location"] == "/sign-in?next=/tokens%3Fa%3Db%2520c"
    page = nobody.get(sent_away.headers["location"])
    assert 'value="/tokens?a=b%20c"' in page.text
    form = {"email": "Ben@Example.org", "password": "ben-password", "next": "/tokens"}
    entered = nobody.post("/sign-in", data=form)
    assert (entered.status_code, entered.headers["location"]) == (303, "/tokens")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert nobody.get("/tokens").status_code == 200


@pytest.mark.parametrize("form", [{"email": "ben@example.org", "password": "wrong"}, {"email": "who@x.org"}, {}])
def test_it_says_the_same_whatever_was_wrong(nobody: TestClient, ben: User, form: dict[str, str]) -> None:
    refused = nobody.post("/sign-in", data=form)
    assert refused.status_code == 422
    assert "do not belong together" in refused.text
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/a\r\nSet-Cookie: x",
        "/\t/evil.example",
    ],
)
def test_it_leads_to_no_other_site_after_signing_in(nobody: TestClient, ben: User, path: str) -> None:
    assert own_path(path) == "/"
    form = {"email": "ben@example.org", "password": "ben-password", "next": path}
    assert nobody.post("/sign-in", data=form).headers["location"] == "/"


def test_signing_out_ends_the_session_on_the_server(ben_browser: TestClient) -> None:
    kept = dict(ben_browser.cookies)
    assert ben_browser.post("/sign-out").headers["location"] == "/sign-in"
    again = client()
    again.cookies.update(kept)
    assert again.get("/tokens").status_code == 303


def test_a_notice_is_said_once(ben_browser: TestClient) -> None:
    ben_browser.post("/sign-out")
    assert "You are signed out." in ben_browser.get("/sign-in").text
    assert "You are signed out." not in ben_browser.get("/sign-in").text


def test_htmx_is_sent_to_sign_in_and_back_to_the_page_it_stands_on(nobody: TestClient) -> None:
    shown = {"HX-Request": "true", "HX-Current-URL": "http://testserver/projects/pairs/judge"}
    answer = nobody.post("/projects/pairs/turn", headers=shown)
    assert answer.headers["hx-redirect"] == "/sign-in?next=/projects/pairs/judge"


def test_an_admin_adds_somebody_whose_password_is_shown_once(ada_browser: TestClient) -> None:
    with db.work_unit() as session:
        open_project(session, "pairs", "pair")
    added = ada_browser.post("/people", data={"email": "dan@example.org", "role": "annotator", "project": "pairs"})
    assert added.status_code == 200
    assert added.headers["cache-control"] == "no-store"
    password = secret_in(added.text)
    assert password not in ada_browser.get("/people").text
    assert client().post("/sign-in", data={"email": "dan@example.org", "password": password}).status_code == 303
    with db.work_unit() as session:
        assert session.scalars(select(Membership)).one()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"email": "ada@example.org", "role": "annotator"}, "there is an account for ada@example.org already"),
        ({"email": "nonsense", "role": "annotator"}, "is not an e-mail address"),
        ({"email": "dan@example.org", "role": "king"}, "is no role"),
    ],
)
def test_a_person_that_cannot_be_added_is_said_beside_the_field(
    ada_browser: TestClient, form: dict[str, str], words: str
) -> None:
    refused = ada_browser.post("/people", data=form)
    assert refused.status_code == 422
    assert words in refused.text.replace("&#39;", "'")
    assert f'value="{form["email"]}"' in refused.text


def test_an_admin_lets_somebody_into_a_project(ada_browser: TestClient, ben: User) -> None:
    with db.work_unit() as session:
        open_project(session, "pairs", "pair")
    assert ada_browser.post("/people/members", data={"email": ben.email or "", "project": "pairs"}).status_code == 303
    assert "now in “pairs”" in ada_browser.get("/people").text
    assert ada_browser.post("/people/members", data={"email": ben.email or "", "project": "nope"}).status_code == 404


def test_a_new_password_ends_the_old_one_and_its_sessions(
    ada_browser: TestClient, ben: User, ben_browser: TestClient
) -> None:
    password = secret_in(ada_browser.post("/people/passwords", data={"email": ben.email or ""}).text)
    assert ben_browser.get("/tokens").status_code == 303
    assert client().post("/sign-in", data={"email": ben.email or "", "password": "ben-password"}).status_code == 422
    assert client().post("/sign-in", data={"email": ben.email or "", "password": password}).status_code == 303


@pytest.mark.parametrize("path", ["/people", "/people/members", "/people/passwords"])
def test_people_are_for_admins(cleo_browser: TestClient, nobody: TestClient, path: str) -> None:
    form = {"email": "cleo@example.org", "role": "admin", "project": "pairs"}
    assert cleo_browser.post(path, data=form).status_code == 403
    assert nobody.post(path, data=form).headers["location"] == "/sign-in"
    assert cleo_browser.get("/people").status_code == 403


@pytest.mark.parametrize("path", ["/people/passwords", "/people/invitations"])
def test_what_was_shown_once_leads_back_to_its_form(
    ada_browser: TestClient, cleo_browser: TestClient, nobody: TestClient, path: str
) -> None:
    assert ada_browser.get(path).headers["location"] == "/people"
    assert cleo_browser.get(path).status_code == 403
    assert nobody.get(path).headers["location"].startswith("/sign-in")


def test_a_token_is_shown_once_and_opens_the_api(ben_browser: TestClient, ben: User) -> None:
    made = ben_browser.post("/tokens", data={"scopes": ["read", "judge"], "name": "laptop", "days": "7"})
    assert made.headers["cache-control"] == "no-store"
    secret = secret_in(made.text)
    assert "laptop" in made.text
    assert secret not in ben_browser.get("/tokens").text
    with db.work_unit() as session:
        token = session.scalars(select(ApiToken)).one()
        assert (token.user_id, token.scopes, secret.encode() in token.token_hash) == (ben.id, ["judge", "read"], False)


def test_an_annotator_cannot_make_a_token_that_reaches_further(ben_browser: TestClient) -> None:
    refused = ben_browser.post("/tokens", data={"scopes": ["read", "admin"]})
    assert refused.status_code == 422
    assert "not yours to give: admin" in refused.text
    assert ben_browser.post("/tokens", data={}).status_code == 422


def test_a_token_is_revoked_by_its_owner_alone(
    ben: User, ben_browser: TestClient, cleo_browser: TestClient, nobody: TestClient
) -> None:
    program = token_client(ben, "read")
    with db.work_unit() as session:
        token_id = session.scalars(select(ApiToken.id)).one()
    assert cleo_browser.post(f"/tokens/{token_id}/revoke").status_code == 404
    assert nobody.post(f"/tokens/{token_id}/revoke").status_code == 303
    assert program.get("/api/v1/projects").status_code == 200
    assert ben_browser.post(f"/tokens/{token_id}/revoke").status_code == 303
    assert program.get("/api/v1/projects").status_code == 401


def test_a_new_token_is_shown_with_the_address_that_people_open(
    ben_browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://tiebreak.example.org/")
    get_settings.cache_clear()
    shown = ben_browser.post(
        "/tokens", data={"scopes": ["read"]}, headers={"origin": "https://tiebreak.example.org"}
    ).text
    monkeypatch.undo()
    get_settings.cache_clear()
    assert " https://tiebreak.example.org/api/v1/projects</code>" in shown
