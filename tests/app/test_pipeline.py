"""One transaction in libpq's pipeline mode: what a key press asks of Postgres."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, text

from app import db
from app.db import afterwards, fetch, once_committed, quick_unit

ONE = UUID("0190a6f2-8f5c-7c3e-9a53-0d7c1b5e4a11")
NOTE = "INSERT INTO audit (action, subject, detail) VALUES ('noted', %(subject)s, '{}') RETURNING id"
NOTED = "SELECT subject FROM audit ORDER BY id"


def noted() -> list[str]:
    with quick_unit() as unit:
        return [row["subject"] for row in fetch(unit, NOTED, {})]


def test_values_come_back_as_they_were_sent(migrated: str):
    statement = """SELECT CAST(%(n)s AS bigint) AS n, CAST(%(words)s AS text) AS words, CAST(%(ids)s AS uuid[]) AS ids,
        CAST(%(raw)s AS bytea) AS raw, CAST(%(told)s AS jsonb) AS told, CAST(%(at)s AS timestamptz) AS at,
        CAST(%(long)s AS interval) AS long, CAST(%(is_so)s AS boolean) AS is_so, 100 %% 7 AS rest, %(n)s::bigint + 1 AS next"""
    first = {"n": None, "words": None, "ids": [], "raw": b"", "told": None, "at": None, "long": None, "is_so": None}
    second = {
        "n": 7,
        "words": "50 % “of” $1 \\ '\n",
        "ids": [ONE],
        "raw": b"\x00\xff",
        "told": '{"a": [1, null]}',
        "at": datetime(2026, 11, 26, 8, 0, tzinfo=UTC),
        "long": timedelta(minutes=90),
        "is_so": True,
    }
    with quick_unit() as unit:
        answers = [unit.ask(statement, values) for values in (first, second, first)]
        told = [answer.rows() for answer in answers]
    assert told[0] == told[2] == [first | {"rest": 2, "next": None}]
    assert told[1] == [second | {"told": {"a": [1, None]}, "rest": 2, "next": 8}]


def test_it_is_kept_whole_or_not_at_all(database: Engine):
    done: list[str] = []
    with quick_unit() as unit:
        unit.ask(NOTE, {"subject": "kept"})
        once_committed(unit, lambda: done.append("kept"))
    with pytest.raises(LookupError), quick_unit() as unit:  # noqa: PT012 -- the unit ends with it
        fetch(unit, NOTE, {"subject": "lost"})
        once_committed(unit, lambda: done.append("lost"))
        afterwards(unit, NOTE, {"subject": "afterwards"})
        raise LookupError
    assert (noted(), done) == (["kept", "afterwards"], ["kept"])


def test_a_commit_travels_behind_what_it_commits(database: Engine):
    with pytest.raises(LookupError), quick_unit() as unit:  # noqa: PT012 -- the unit ends with it
        answer = unit.ask(NOTE, {"subject": "kept"})
        unit.commit_behind()
        assert answer.rows()
        fetch(unit, NOTE, {"subject": "lost"})
        raise LookupError
    with pytest.raises(psycopg.errors.DivisionByZero), quick_unit() as unit:  # noqa: PT012 -- it ends at its end
        unit.ask(NOTE, {"subject": "lost with what fails behind it"})
        unit.ask("SELECT 1 / CAST(%(n)s AS bigint) AS n", {"n": 0})
        unit.commit_behind()
    assert noted() == ["kept"]


def test_after_an_error_nothing_counts_and_the_next_one_begins_anew(database: Engine):
    with quick_unit() as unit:
        (before,) = fetch(unit, "SELECT pg_backend_pid() AS pid", {})
    with pytest.raises(psycopg.errors.DivisionByZero), quick_unit() as unit:  # noqa: PT012 -- it ends at the commit
        unit.ask(NOTE, {"subject": "lost"})
        unit.ask("SELECT 1 / CAST(%(n)s AS bigint) AS n", {"n": 0})
        unit.ask("SELECT 'never prepared' AS words", {})
    with quick_unit() as unit:
        assert fetch(unit, "SELECT 'never prepared' AS words", {}) == [{"words": "never prepared"}]
        (after,) = fetch(unit, "SELECT pg_backend_pid() AS pid", {})
    assert (noted(), after != before) == ([], True)


def test_whoever_overlooks_an_error_commits_nothing(database: Engine):
    with pytest.raises(psycopg.OperationalError, match="closed"), quick_unit() as unit:  # noqa: PT012 -- as above
        fetch(unit, NOTE, {"subject": "lost"})
        with suppress(psycopg.errors.DivisionByZero):
            fetch(unit, "SELECT 1 / CAST(%(n)s AS bigint) AS n", {"n": 0})
    assert noted() == []


def test_what_cannot_be_read_is_in_nobody_elses_way(database: Engine):
    with quick_unit() as unit:
        unit.ask(NOTE, {"subject": "kept"})
        too_large = unit.ask("SELECT CAST(%(told)s AS jsonb) AS told", {"told": "1e400"})
        assert fetch(unit, NOTED, {}) == [{"subject": "kept"}]
        with pytest.raises(ValueError, match="infinity"):
            too_large.rows()
    assert noted() == ["kept"]


def test_megabytes_go_both_ways_at_once(migrated: str):
    words = "a long answer " * 400_000
    with quick_unit() as unit:
        answers = [unit.ask("SELECT CAST(%(words)s AS text) AS words", {"words": words}) for _ in range(3)]
        assert all(answer.rows() == [{"words": words}] for answer in answers)


def test_a_connection_that_was_ended_meanwhile_is_replaced(database: Engine):
    with quick_unit() as unit:
        (row,) = fetch(unit, "SELECT pg_backend_pid() AS pid", {})
    with db.work_unit() as session:
        session.execute(text("SELECT pg_terminate_backend(CAST(:pid AS int), 5000)"), row)
    assert noted() == []
    with pytest.raises(psycopg.OperationalError), quick_unit() as unit:  # noqa: PT012 -- as above
        (row,) = fetch(unit, "SELECT pg_backend_pid() AS pid", {})
        with db.work_unit() as session:
            session.execute(text("SELECT pg_terminate_backend(CAST(:pid AS int), 5000)"), row)
        fetch(unit, NOTED, {})
    assert noted() == []
