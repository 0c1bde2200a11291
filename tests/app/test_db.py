"""One request is one transaction, committed before the first byte of the response."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from app.db import SessionDep, psycopg_url, read_session, work_unit
from app.models import Audit


def count(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Audit)) or 0


def note(session: Session) -> None:
    session.add(Audit(action="test", subject="", detail={}))


def test_a_work_unit_is_kept_whole_or_not_at_all(database: Engine):
    with work_unit() as session:
        note(session)
    assert count(database) == 1
    with pytest.raises(ZeroDivisionError), work_unit() as session:
        note(session)
        session.flush()
        _ = 1 / 0
    assert count(database) == 1


def test_a_commit_that_fails_is_seen_by_the_client(database: Engine):
    """The deferred check fires at commit; were the response sent before, the client would have read 200."""
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    app = FastAPI()

    @app.post("/twice")
    def twice(session: SessionDep) -> str:
        session.execute(text("INSERT INTO once VALUES (1), (1)"))
        return "stored"

    try:
        answer = TestClient(app, raise_server_exceptions=False).post("/twice")
        assert answer.status_code == 500
    finally:
        with database.begin() as connection:
            connection.execute(text("DROP TABLE once"))


def test_a_stream_reads_but_cannot_write(database: Engine):
    with read_session() as session:
        assert session.scalar(text("SELECT 1")) == 1
        with pytest.raises(Exception, match="read-only"):
            session.execute(text("DELETE FROM audit"))


def test_times_are_utc_in_every_session(database: Engine):
    with work_unit() as session:
        assert session.scalar(text("SHOW timezone")) == "UTC"


@pytest.mark.parametrize("url", ["postgres://h/d", "postgresql://h/d", "postgresql+psycopg://h/d"])
def test_it_takes_the_addresses_that_hosts_hand_out(url: str):
    assert psycopg_url(url) == "postgresql+psycopg://h/d"
