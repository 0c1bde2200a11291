"""Messages leave after the commit and never before; the broker of these stories is the real Redis."""

import orjson
import pytest
from celery import Celery
from sqlalchemy import text

from app import db, doorbell
from app.settings import Settings

pytestmark = pytest.mark.usefixtures("silence")


def next_message(queue: str) -> tuple[str, list[int]]:
    """The job's name and its arguments."""
    with doorbell.celery.connection_for_read() as connection:
        message = connection.default_channel.basic_get(queue, no_ack=True)
        return message.headers["task"], orjson.loads(message.body)[0]


def test_it_rings_after_the_commit_and_not_before() -> None:
    with db.work_unit() as session:
        doorbell.ring(session, "runs.train", 7)
        session.execute(text("SELECT 1"))
        assert doorbell.messages_waiting("train") == 0
    assert doorbell.messages_waiting("train") == 1
    assert next_message("train") == ("runs.train", [7])


def test_it_forgets_what_was_rung_in_a_transaction_that_is_rolled_back() -> None:
    with db.work_unit() as session:
        session.execute(text("SELECT 1"))
        doorbell.ring(session, "runs.train", 7)
        session.rollback()
    assert doorbell.messages_waiting("train") == 0


def test_it_waits_for_the_commit_when_a_savepoint_is_released() -> None:
    with db.work_unit() as session:
        doorbell.ring(session, "runs.train", 7)
        with session.begin_nested():
            session.execute(text("SELECT 1"))
            doorbell.ring(session, "runs.train", 8)
        assert doorbell.messages_waiting("train") == 0
    assert doorbell.messages_waiting("train") == 2


def test_it_remembers_what_was_rung_before_a_savepoint_that_is_rolled_back() -> None:
    with db.work_unit() as session:
        doorbell.ring(session, "runs.train", 7)
        nested = session.begin_nested()
        session.execute(text("SELECT 1"))
        nested.rollback()
    assert doorbell.messages_waiting("train") == 1


def test_it_sends_each_job_to_its_own_queue() -> None:
    with db.work_unit() as session:
        for job in doorbell.QUEUES:
            doorbell.ring(session, job, 1)
    for job, queue in doorbell.QUEUES.items():
        assert next_message(queue)[0] == job


def test_it_knows_no_job_without_a_queue() -> None:
    with pytest.raises(ValueError, match=r"runs\.dance"), db.work_unit() as session:
        doorbell.ring(session, "runs.dance", 1)


def test_it_saves_what_people_did_even_while_the_broker_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = Celery("away", broker="redis+socket:///nowhere/redis.sock")
    away.conf.task_publish_retry = False
    monkeypatch.setattr(doorbell, "celery", away)
    with db.work_unit() as session:
        doorbell.ring(session, "runs.train", 7)
        session.execute(text("INSERT INTO audit (action, subject, detail) VALUES ('kept', 'this', '{}')"))
    with db.work_unit() as session:
        assert session.scalar(text("SELECT count(*) FROM audit")) == 1
    assert "the sweep will ring runs.train(7) again" in caplog.text


def test_it_reads_the_environment_when_celery_first_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("later")
    app.add_defaults(doorbell.configuration)
    monkeypatch.setattr(doorbell, "get_settings", lambda: Settings(REDIS_URL="redis://later.example/3"))
    assert app.conf.broker_url == "redis://later.example/3"


def test_it_passes_messages_through_files_where_there_is_no_server(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "get_settings", lambda: Settings(REDIS_URL=f"filesystem://{tmp_path}"))
    app = Celery("files")
    app.add_defaults(doorbell.configuration)
    monkeypatch.setattr(doorbell, "celery", app)
    with db.work_unit() as session:
        doorbell.ring(session, "runs.train", 9)
        session.execute(text("SELECT 1"))
    assert doorbell.messages_waiting("train") == 1
    assert next_message("train") == ("runs.train", [9])
