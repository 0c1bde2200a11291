"""Asking the driver itself, within the session's transaction."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db import fetch, work_unit
from app.models import Project


def test_what_is_about_to_be_written_is_written_first(session: Session):
    session.add(Project(slug="new", name="New", kind="pair"))
    assert fetch(session, "SELECT name FROM project WHERE slug = %(slug)s", {"slug": "new"}) == [{"name": "New"}]


def lose_the_connection() -> None:
    with work_unit() as session:
        (mine,) = fetch(session, "SELECT pg_backend_pid() AS pid", {})
        with work_unit() as other:
            fetch(other, "SELECT pg_terminate_backend(CAST(%(pid)s AS int))", mine)
        fetch(session, "SELECT 1", {})


def test_a_connection_that_breaks_says_so_as_anywhere_and_is_replaced(database: Engine):
    with pytest.raises(OperationalError):
        lose_the_connection()
    with work_unit() as session:
        assert fetch(session, "SELECT 1 AS one", {}) == [{"one": 1}]
