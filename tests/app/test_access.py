"""Sessions, tokens, scopes and bounds."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import sleep
from types import SimpleNamespace

import pytest
from argon2 import Type, extract_parameters
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from app import access, db
from app.models import ApiToken, BrowserSession, User
from app.people import service as people
from tests.conftest import client, token_client


def test_it_signs_in_with_a_cookie_that_scripts_cannot_read(ada: User):
    answer = client().post("/sign-in", data={"email": "Ada@Example.org", "password": "ada-password"})
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()


def test_it_stores_the_hash_of_a_cookie_not_the_cookie(ada_browser: TestClient, database: Engine):
    secret = ada_browser.cookies[access.COOKIE]
    with Session(database) as session:
        stored = session.scalars(select(BrowserSession)).one()
    assert stored.token_hash == access.hashed(secret)
    assert secret.encode() not in stored.token_hash


def test_a_password_is_as_slow_to_try_as_rfc_9106_asks_whether_or_not_its_address_is_known():
    """Its second recommendation. The people of the tests come in by hashes with next to no work in them, which is for tests alone."""
    work = extract_parameters(access.hash_password("ada-password"))
    assert (work.type, work.memory_cost, work.time_cost, work.parallelism) == (Type.ID, 64 * 1024, 3, 4)
    assert extract_parameters(access._NOBODY) == work


def test_a_session_ends_when_its_time_is_over(ada_browser: TestClient, database: Engine):
    assert ada_browser.get("/people").status_code == 200
    with database.begin() as connection:
        connection.execute(update(BrowserSession).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert ada_browser.get("/people").status_code == 303


def test_a_disabled_account_is_out_at_once(ada_browser: TestClient, ada_api: TestClient, database: Engine):
    with database.begin() as connection:
        connection.execute(update(User).values(disabled_at=datetime.now(UTC)))
    assert ada_browser.get("/people").status_code == 303
    assert ada_api.get("/api/v1/projects").status_code == 401


def test_a_new_password_signs_out_everywhere(ada_browser: TestClient):
    with db.work_unit() as session:
        people.set_password(session, "ada@example.org")
    assert ada_browser.get("/people").status_code == 303


def test_a_token_without_the_scope_is_refused_in_words(ada: User):
    answer = token_client(ada, "read").post("/api/v1/projects", json={"slug": "p", "name": "P", "kind": "pair"})
    assert answer.status_code == 403
    assert "admin" in answer.json()["detail"]


def test_scopes_do_not_reach_beyond_the_role(ben: User):
    answer = token_client(ben, "admin").post("/api/v1/projects", json={"slug": "p", "name": "P", "kind": "pair"})
    assert answer.status_code == 403


@pytest.mark.parametrize("header", ["Bearer tbk_unknown", "Bearer", "Basic YTpi", "Bearer ünknown".encode()])
def test_a_token_nobody_made_is_401(nobody: TestClient, header: str | bytes, database: Engine):
    answer = nobody.get("/api/v1/projects", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "change", [{"revoked_at": datetime(2020, 1, 1, tzinfo=UTC)}, {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}]
)
def test_a_revoked_or_expired_token_is_401(ada_api: TestClient, database: Engine, change: dict[str, datetime]):
    assert ada_api.get("/api/v1/projects").status_code == 200
    with database.begin() as connection:
        connection.execute(update(ApiToken).values(change))
    assert ada_api.get("/api/v1/projects").status_code == 401


def test_every_answer_says_what_a_page_may_run(nobody: TestClient, database: Engine):
    policy = nobody.get("/sign-in").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_crowd_of_strangers_takes_the_memory_of_two(monkeypatch: pytest.MonkeyPatch):
    at_once: list[int] = []
    working: list[None] = []

    def verify(_stored: str, _password: str) -> None:
        working.append(None)
        at_once.append(len(working))
        sleep(0.01)
        working.pop()

    monkeypatch.setattr(access, "_passwords", SimpleNamespace(verify=verify))
    with ThreadPoolExecutor(8) as crowd:
        assert not any(crowd.map(lambda _: access.password_fits(None, "guess"), range(16)))
    assert max(at_once) <= 2


def last_use(database: Engine) -> datetime | None:
    with Session(database) as session:
        return session.scalars(select(ApiToken.last_used_at)).one()


def test_the_last_use_of_a_token_is_noted_also_when_it_is_refused(ben: User, database: Engine):
    program = token_client(ben, "read")
    assert last_use(database) is None
    assert program.post("/api/v1/projects/words/next").status_code == 403
    assert last_use(database) is not None


def test_the_last_use_moves_once_a_minute(ada_api: TestClient, database: Engine):
    ada_api.get("/api/v1/projects")
    first = last_use(database)
    ada_api.get("/api/v1/projects")
    assert last_use(database) == first
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    with database.begin() as connection:
        connection.execute(update(ApiToken).values(last_used_at=long_ago))
    ada_api.get("/api/v1/projects")
    moved = last_use(database)
    assert moved is not None
    assert moved > long_ago


def test_the_note_of_a_use_waits_for_the_end_of_the_request_and_holds_up_nobody(ada_api: TestClient, database: Engine):
    secret = ada_api.headers["Authorization"]
    with db.work_unit() as slow:
        assert access.person_of_token(slow, secret) is not None
        assert ada_api.get("/api/v1/projects").status_code == 200
        assert last_use(database) is not None
