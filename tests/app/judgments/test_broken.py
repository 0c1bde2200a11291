"""A database that fails while a judgment is stored: nothing is called stored that is not, and a second try stores it once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from app import db
from app.models import User
from tests.queued import queued, slots_that_do_not_add_up, value, write

HTMX = {"HX-Request": "true"}
STORED = "SELECT count(*) FROM judgment"


@contextmanager
def failing(table: str, problem: str) -> Iterator[None]:
    """Every transaction that puts a row into the table fails at its commit."""
    write(f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM {problem}, pg_sleep(5); RETURN NULL; END $$""")
    write(f"""CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail()""")
    yield
    write(f"DROP TRIGGER fails ON {table}")
    write("DROP FUNCTION fail()")


def asking(api: TestClient) -> tuple[dict[str, Any], str]:
    turn = api.post("/api/v1/projects/words/next").json()
    return turn, f"/api/v1/assignments/{turn['assignment']}/judgment?next=1"


def send(api: TestClient, turn: dict[str, Any], address: str) -> tuple[int, Any]:
    tiers = {one["id"]: place for place, one in enumerate(turn["responses"], 1)}
    answer = api.post(address, json={"outcome": "ranked", "tiers": tiers}, headers={"Idempotency-Key": "one"})
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("judgment", "pg_terminate_backend(pg_backend_pid())"),
        ("judgment", "pg_cancel_backend(pg_backend_pid())"),
        ("assignment", "pg_cancel_backend(pg_backend_pid())"),  # the claim, which is committed together with it
    ],
)
def test_a_commit_that_fails_is_no_success(
    ben: User, ben_api: TestClient, ben_browser: TestClient, table: str, problem: str
):
    queued(ben, items=3)
    turn, address = asking(ben_api)
    form = {"assignment": str(turn["assignment"]), "key": "another", "choice": turn["responses"][0]["id"]}
    with failing(table, problem):
        assert send(ben_api, turn, address)[0] == 503
        assert ben_browser.post("/projects/words/turn", data=form, headers=HTMX).status_code == 503
    assert value(STORED) == 0
    first, again = send(ben_api, turn, address), send(ben_api, turn, address)
    assert (first[0], again[0], value(STORED)) == (201, 200, 1)
    assert first[1]["next"]["assignment"] == again[1]["next"]["assignment"]
    assert slots_that_do_not_add_up() == []


def test_a_judgment_whose_next_turn_fails_is_stored_and_not_denied(ben: User, ben_api: TestClient):
    """In an order of its own the claim has a transaction behind the judgment's."""
    queued(ben, items=3, item_order="imported")
    turn, address = asking(ben_api)
    with failing("assignment", "pg_cancel_backend(pg_backend_pid())"):
        status, problem = send(ben_api, turn, address)
    assert (status, value(STORED)) == (503, 1)
    assert "may not be stored" in problem["detail"]
    assert (send(ben_api, turn, address)[0], value(STORED)) == (200, 1)
    assert slots_that_do_not_add_up() == []


def test_too_few_connections_are_no_bug(ben: User, ben_api: TestClient, monkeypatch: pytest.MonkeyPatch):
    queued(ben, items=1)
    pool = db.quick_engine().pool
    monkeypatch.setattr(pool, "_timeout", 0.01)
    taken = []
    with suppress(NoConnectionFreeError):
        while True:
            taken.append(pool.connect())
    assert ben_api.post("/api/v1/projects/words/next").status_code == 503
    for one in taken:
        one.close()
    assert ben_api.post("/api/v1/projects/words/next").status_code == 200
