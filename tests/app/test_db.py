"""One request is one transaction, committed before the first byte of the response."""

from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import SessionDep, among, insert_rows, psycopg_url, read_session, work_unit
from app.models import Audit, Item, Project, Prompt, Response


def count(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Audit)) or 0


def note(session: Session) -> None:
    session.add(Audit(action="test", subject="", detail={}))


def breaks_off() -> None:
    with work_unit() as session:
        note(session)
        session.flush()
        _ = 1 / 0


def test_a_work_unit_is_kept_whole_or_not_at_all(database: Engine):
    with work_unit() as session:
        note(session)
    assert count(database) == 1
    with pytest.raises(ZeroDivisionError):
        breaks_off()
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


def test_nobody_meets_a_connection_that_was_ended_while_it_rested(database: Engine):
    own = text("SELECT pg_backend_pid()")
    ended = text("SELECT pg_terminate_backend(pid, 10000) FROM unnest(CAST(:rested AS int[])) AS pid")
    with database.begin() as third, work_unit() as one, work_unit() as two:
        killer, rested = third.scalar(own), {one.scalar(own), two.scalar(own)}
        one.rollback()
        two.rollback()
        assert third.scalars(ended, {"rested": list(rested)}).all() == [True, True]
    with work_unit() as one, work_unit() as two, work_unit() as three:
        there = {session.scalar(own) for session in (one, two, three)}
    assert killer in there
    assert not there & rested


def test_times_are_utc_in_every_session(database: Engine):
    with work_unit() as session:
        assert session.scalar(text("SHOW timezone")) == "UTC"


@pytest.mark.parametrize("url", ["postgres://h/d", "postgresql://h/d", "postgresql+psycopg://h/d"])
def test_it_takes_the_addresses_that_hosts_hand_out(url: str):
    assert psycopg_url(url) == "postgresql+psycopg://h/d"


def test_it_inserts_many_rows_with_one_statement(session: Session):
    project = Project(slug="p", name="p", kind="pair")
    session.add(project)
    session.flush()
    messages = [{"role": "user", "content": 'quotes " \\ é漢 🍋 $1 %s :x'}]
    prompts = insert_rows(
        Prompt,
        [
            {"project_id": project.id, "messages": messages, "content_hash": bytes([number, 0, 255])}
            for number in range(3)
        ],
    )
    ids = {row.content_hash: row.id for row in session.execute(prompts.returning(Prompt.content_hash, Prompt.id))}
    assert set(ids) == {b"\x00\x00\xff", b"\x01\x00\xff", b"\x02\x00\xff"}
    prompt_id = ids[b"\x00\x00\xff"]
    row = {
        "id": uuid4(),
        "prompt_id": prompt_id,
        "text": "a\nb",
        "model": None,
        "score": 0.1,
        "sampling": {"top_p": None},
    }
    session.execute(insert_rows(Response, [row | {"content_hash": b"x"}]))
    stored = session.get_one(Response, row["id"])
    assert (stored.text, stored.model, stored.score, stored.sampling) == ("a\nb", None, 0.1, {"top_p": None})
    assert stored.created_at is not None
    item = {"project_id": project.id, "prompt_id": prompt_id, "response_ids": [row["id"]], "content_hash": b"i"}
    more = {"metadata": {"k": [1, None]}, "wanted": 1, "open_slots": 1}
    session.execute(insert_rows(Item, [item | more]))
    assert session.scalars(select(Item)).one().response_ids == [row["id"]]
    assert session.get_one(Prompt, prompt_id).messages == messages


def test_it_finds_rows_among_any_number_of_values(session: Session):
    session.add_all(Project(slug=slug, name=slug, kind="pair") for slug in "abc")
    session.flush()
    found = select(Project.slug).where(among(Project.slug, {"a", "c", "x", *map(str, range(70_000))}))
    assert sorted(session.scalars(found)) == ["a", "c"]
    assert session.scalars(select(Project.slug).where(among(Project.slug, []))).all() == []


def test_an_error_that_is_logged_tells_no_values(session: Session):
    with pytest.raises(DBAPIError) as problem:
        session.execute(text("SELECT CAST(:value AS text), 1 / 0"), {"value": "my-secret"})
    assert "my-secret" not in str(problem.value)
