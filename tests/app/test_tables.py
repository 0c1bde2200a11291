"""A worker takes nothing while the tables of the database are those of another version."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from sqlalchemy import Engine, text

from app import tables
from tests.worker.test_supervise import until


@contextmanager
def tables_of_another_version(database: Engine, version: str = "from_another_branch") -> Iterator[None]:
    """Says so, that is; they stay as they are."""
    with database.begin() as connection:
        present = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    try:
        yield
    finally:
        with database.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :present"), {"present": present})


def test_they_fit(database: Engine):
    assert tables.demand_fitting() == tables.newest_tables()


def test_older_ones_are_to_be_migrated_and_those_it_does_not_know_belong_to_a_newer_version(database: Engine):
    older = next(script.down_revision for script in tables.scripts().walk_revisions())
    for version, words in ((older, "run `tiebreak migrate`"), ("from_another_branch", "a newer version")):
        with tables_of_another_version(database, version), pytest.raises(tables.TablesDiffer, match=words):
            tables.demand_fitting()


def test_a_worker_waits_for_them_and_says_so_once(
    database: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(tables, "LOOK_AGAIN_S", 0.01)
    waiting = Thread(target=tables.wait_for_tables)
    with tables_of_another_version(database):
        waiting.start()
        until(lambda: "this worker waits: the tables are at from_another_branch" in caplog.text)
        assert waiting.is_alive()
    waiting.join(30)
    assert not waiting.is_alive()
    assert caplog.text.count("this worker waits") == 1
    assert "the tables fit now" in caplog.text
