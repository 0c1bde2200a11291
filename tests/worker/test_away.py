"""A database that ends a connection is away; one that is asked nothing in the middle of a transaction does so."""

import time

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.worker.test_supervise import until
from worker import away


@pytest.fixture
def limited(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """As a trainer's, with a limit as short as a lease may be."""
    monkeypatch.setenv("TRAINER_LEASE_S", "3")
    away.get_settings.cache_clear()
    made = create_engine(database.url, connect_args={"options": "-c timezone=UTC"})
    monkeypatch.setattr(away, "engine", lambda: made)
    away.hold_no_row_for_long()
    return made


def test_a_transaction_in_which_nothing_is_asked_holds_its_rows_for_no_longer_than_a_lease(
    limited: Engine, database: Engine
) -> None:
    with limited.connect() as frozen:
        limits = [frozen.scalar(text(f"SHOW {name}")) for name in ("idle_in_transaction_session_timeout", "timezone")]
        assert limits == ["3s", "UTC"]
        number = frozen.scalar(text("SELECT pg_backend_pid()"))
        there = text(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {number}")
        until(lambda: not ask(database, there))
        with pytest.raises(DBAPIError) as caught:
            frozen.scalar(text("SELECT 1"))
        assert away.is_away(caught.value)
    limited.dispose()
    away.get_settings.cache_clear()


def ask(database: Engine, statement: object) -> object:
    with database.connect() as connection:
        return connection.scalar(statement)  # type: ignore[call-overload]


def test_a_statement_that_is_wrong_is_not_asked_again(database: Engine) -> None:
    asked = []

    @away.patiently
    def wrong() -> None:
        asked.append(time.monotonic())
        ask(database, text("SELECT nothing FROM nowhere"))

    with pytest.raises(DBAPIError):
        wrong()
    assert len(asked) == 1
