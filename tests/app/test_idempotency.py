"""A request with a key is answered once, also when it comes twice at once, fails, or is somebody else's."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import db, idempotency
from app.idempotency import KEPT_HOURS, REPLAYED, forget_old
from app.models import User
from app.people import service as people
from tests.conftest import client, signed_in, token_client
from tests.queued import queued, value, write

NEW = {"slug": "once", "name": "Once", "kind": "pair"}
KEY = {"Idempotency-Key": "one"}


def test_the_same_key_makes_another_thing_for_another_route_or_token(ada: User, ada_api: TestClient):
    queued(items=0)
    assert ada_api.post("/api/v1/projects", json=NEW, headers=KEY).status_code == 201
    assert ada_api.post("/api/v1/projects/words/invitations", json={}, headers=KEY).status_code == 201
    assert token_client(ada, "admin").post("/api/v1/projects", json=NEW, headers=KEY).status_code == 409


def test_a_browser_has_keys_of_its_own(ada_browser: TestClient):
    made = ada_browser.post("/api/v1/projects", json=NEW, headers=KEY)
    again = ada_browser.post("/api/v1/projects", json=NEW, headers=KEY)
    assert (made.status_code, again.status_code, again.headers[REPLAYED]) == (201, 201, "true")


def test_a_request_that_failed_may_be_sent_again(ada_api: TestClient):
    wrong = NEW | {"kind": "banana"}
    assert ada_api.post("/api/v1/projects", json=wrong, headers=KEY).status_code == 422
    assert value("SELECT count(*) FROM kept_answer") == 0
    assert ada_api.post("/api/v1/projects", json=NEW, headers=KEY).status_code == 201


def test_another_request_with_the_key_is_refused_in_words(ada_api: TestClient):
    ada_api.post("/api/v1/projects", json=NEW, headers=KEY)
    refused = ada_api.post("/api/v1/projects", json=NEW | {"slug": "two"}, headers=KEY)
    assert (refused.status_code, refused.json()["field"]) == (422, "idempotency-key")
    assert "use a new one" in refused.json()["detail"]
    assert value("SELECT count(*) FROM project") == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_a_length(ada_api: TestClient, key: str):
    assert ada_api.post("/api/v1/projects", json=NEW, headers={"Idempotency-Key": key}).status_code == 422


def test_a_key_does_not_open_what_a_token_may_not_do(ada: User, ben_api: TestClient, ada_api: TestClient):
    ada_api.post("/api/v1/projects", json=NEW, headers=KEY)
    assert ben_api.post("/api/v1/projects", json=NEW, headers=KEY).status_code == 403
    write("UPDATE api_token SET revoked_at = now() WHERE user_id = :ada", ada=ada.id)
    assert ada_api.post("/api/v1/projects", json=NEW, headers=KEY).status_code == 401


def test_the_database_alone_does_not_tell_a_secret_that_was_shown_once(ada_api: TestClient):
    queued(items=0)
    made = ada_api.post("/api/v1/projects/words/invitations", json={}, headers=KEY)
    link = made.json()["link"]
    kept = bytes(value("SELECT answer FROM kept_answer"))
    assert link.rpartition("/")[2].encode() not in kept
    assert made.json()["role"].encode() not in kept
    assert ada_api.post("/api/v1/projects/words/invitations", json={}, headers=KEY).json()["link"] == link


def test_answers_are_kept_for_a_day_and_swept(ada_api: TestClient):
    ada_api.post("/api/v1/projects", json=NEW, headers=KEY)
    with db.work_unit() as session:
        assert forget_old(session) == 0
    write(f"UPDATE kept_answer SET created_at = created_at - interval '{KEPT_HOURS} hours'")
    assert ada_api.post("/api/v1/projects", json=NEW, headers=KEY).status_code == 409  # asked anew: the name is taken
    with db.work_unit() as session:
        assert forget_old(session) == 1
    assert value("SELECT count(*) FROM kept_answer") == 0


def test_a_key_that_is_too_old_but_not_swept_yet_makes_another(ada_api: TestClient):
    queued(items=0)
    first = ada_api.post("/api/v1/projects/words/invitations", json={}, headers=KEY)
    write(f"UPDATE kept_answer SET created_at = created_at - interval '{KEPT_HOURS} hours'")
    second = ada_api.post("/api/v1/projects/words/invitations", json={"note": "new"}, headers=KEY)
    assert (second.status_code, second.json()["id"] != first.json()["id"]) == (201, True)


def test_those_who_come_at_once_hear_the_same(ada: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(idempotency, "PATIENCE_S", 55)  # the machine may be busy
    queued(items=0)
    with db.work_unit() as session:
        secret = people.make_token(session, ada, ["admin"])

    def ask(_: int) -> tuple[int, bytes]:
        answer = client().post(
            "/api/v1/projects/words/invitations", json={}, headers={"Authorization": f"Bearer {secret}", **KEY}
        )
        return answer.status_code, answer.content

    with ThreadPoolExecutor(6) as pool:
        heard = set(pool.map(ask, range(6)))
    assert [status for status, _ in heard] == [201]
    assert value("SELECT count(*) FROM invitation") == 1


def test_who_would_wait_too_long_is_told_to_come_back(ada_api: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(idempotency, "PATIENCE_S", 1)
    ada_api.post("/api/v1/projects", json=NEW, headers=KEY)
    held, done = Event(), Event()

    def hold() -> None:
        """As a request that is still at work: its key is not there yet, and nobody else can have it."""
        with db.work_unit() as session:
            session.execute(text("UPDATE kept_answer SET created_at = now() - interval '2 days'"))
            held.set()
            done.wait(60)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        try:
            assert held.wait(60)
            refused = ada_api.post("/api/v1/projects", json=NEW, headers=KEY)
        finally:
            done.set()
    assert (refused.status_code, refused.headers["retry-after"]) == (409, "1")
    assert "still at work" in refused.json()["detail"]


def test_a_page_needs_no_key(ada_browser: TestClient, ada: User):
    assert signed_in(ada).post("/api/v1/projects", json=NEW).status_code == 201
    assert value("SELECT count(*) FROM kept_answer") == 0
