"""The engine, the session of a request, and the only place that commits.

One request is one transaction, committed **before the first byte of the response**: a route takes `SessionDep`, whose
scope "function" makes FastAPI leave the dependency (and so commit) before it sends. Jobs open their own `work_unit()`, and
what every key press waits for opens a `quick_unit()`, which does without SQLAlchemy. `fetch` asks either of them. A stream
opens `read_session()`, because the request's session has ended before its first byte.
"""

import logging
import select as selecting
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import lru_cache, partial
from typing import Annotated, Any, LiteralString, TypeVar

import orjson
import psycopg
from fastapi import Depends
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import (
    JSON,
    ColumnElement,
    Engine,
    Text,
    any_,
    cast,
    column,
    create_engine,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session, SessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from app.models import Table
from app.pipeline import Pipeline, Wire
from app.settings import get_settings

Value = TypeVar("Value")
Note = tuple[LiteralString, Mapping[str, Any]]
# A transaction in which `fetch` can ask.
Unit = Session | Pipeline
_AFTERWARDS = "afterwards"
_ONCE_COMMITTED = "once_committed"
_LENT = "lent"
_WIRE = "wire"
_log = logging.getLogger(__name__)
QUICK_POOL = 3  # and that many wait for the database at once in each process (`app/direct.py`)


@lru_cache
def engine() -> Engine:
    """One pool per process. Times are UTC in every session; a statement that hangs is ended after a minute."""
    return _engine(pool_size=get_settings().pool_size)


@lru_cache
def quick_engine() -> Engine:
    """A few connections for what every key press waits for, each of whose statements walks indexes and reads a few rows.

    A statement is planned once in each connection. Planned while a table was small it would read all of that table, on and on
    as it grew, until Postgres next took stock of it: on the first day of a project, statements cost three times as much.
    """
    return _engine("-c enable_seqscan=off", pool_size=QUICK_POOL, pool_reset_on_return=None)


def _engine(options: str = "", **pool: Any) -> Engine:
    settings = get_settings()
    made = create_engine(
        psycopg_url(settings.database_url),
        **pool,
        max_overflow=settings.pool_size,
        pool_pre_ping=False,
        pool_use_lifo=True,  # those used last have their statements prepared and planned; the others may rest
        hide_parameters=True,  # errors are logged; hashes of passwords and what people wrote are not
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "options": f"-c timezone=UTC -c statement_timeout=60000 {options}",
            "application_name": "tiebreak",
            "connect_timeout": 10,  # a machine that has vanished is noticed within a lease, not within TCP's hours
            "tcp_user_timeout": 30_000,
            "keepalives_idle": 30,
        },
    )
    event.listen(made, "connect", _whole_numbers)
    event.listen(made, "checkout", _replace_what_was_ended)
    return made


def _whole_numbers(connection: psycopg.Connection, record: ConnectionPoolEntry) -> None:
    """Integers travel as `bigint` whatever their size, so a statement has one form, which is prepared and planned once.

    psycopg would take the smallest type that fits, and prepare the same words again for each mixture of them.
    """
    del record
    connection.adapters.register_dumper(int, Int8Dumper)


def _replace_what_was_ended(
    connection: psycopg.Connection, record: ConnectionPoolEntry, proxy: PoolProxiedConnection
) -> None:
    """A connection that Postgres has ended while it rested, as at a restart, has something to read: the pool then opens another.

    Looking is one system call (1 µs), where `pool_pre_ping` would send a statement and wait for it before every request.
    """
    del proxy
    if not record.info.setdefault(_LENT, False):
        # Opened a moment ago. Should it have ended since, its statement says so (503): a third one is not opened (500).
        record.info[_LENT] = True
        return
    looking = selecting.poll()
    looking.register(connection.fileno(), selecting.POLLIN)
    if looking.poll(0):
        raise DisconnectionError


def psycopg_url(url: str) -> str:
    """`postgres://` and `postgresql://`, as hosting services hand them out, with the driver that is used here."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


@contextmanager
def work_unit() -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any exception."""
    with Session(engine(), expire_on_commit=False) as session:
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            if _AFTERWARDS in session.info:
                _write_down(session.info.pop(_AFTERWARDS), work_unit)


@contextmanager
def quick_unit() -> Iterator[Pipeline]:
    """One transaction of what a key press waits for."""
    notes: list[Note] = []
    try:
        with closing(quick_engine().raw_connection()) as resting:
            wire = resting.info.get(_WIRE)
            if wire is None:
                assert isinstance(resting.driver_connection, psycopg.Connection)
                wire = resting.info[_WIRE] = Wire(resting.driver_connection)
            try:
                with Pipeline(wire, notes) as unit:
                    yield unit
            except psycopg.Error as problem:
                resting.invalidate(problem)
                raise
    finally:
        if notes:
            _write_down(notes, quick_unit)


def afterwards(unit: Unit, statement: LiteralString, values: Mapping[str, Any]) -> None:
    """Run a statement in a short transaction of its own once this one has ended, however it ends. It has to return a row.

    For what is recorded about a request whatever becomes of it. It holds no lock while the request works, and takes no second
    connection, for which requests could wait for each other.
    """
    notes = unit.notes if isinstance(unit, Pipeline) else unit.info.setdefault(_AFTERWARDS, [])
    notes.append((statement, values))


def _write_down(notes: Sequence[Note], a_unit: Callable[[], AbstractContextManager[Unit]]) -> None:
    """A database that went away meanwhile costs the note, not the request."""
    try:
        with a_unit() as unit:
            for statement, values in notes:
                fetch(unit, statement, values)
    except (SQLAlchemyError, psycopg.Error) as problem:
        _log.warning("what was to be noted after a request is lost: %s", problem)


def once_committed(unit: Unit, do: Callable[[], None]) -> None:
    """Have something done when and if this transaction has been committed."""
    waiting = unit.once_committed if isinstance(unit, Pipeline) else unit.info.setdefault(_ONCE_COMMITTED, [])
    waiting.append(do)


@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    if _ONCE_COMMITTED in session.info and not session.in_nested_transaction():
        for do in session.info.pop(_ONCE_COMMITTED):
            do()


@event.listens_for(Session, "after_soft_rollback")
def _after_rollback(session: Session, previous: SessionTransaction) -> None:
    if not previous.nested:
        session.info.pop(_ONCE_COMMITTED, None)


@contextmanager
def read_session() -> Iterator[Session]:
    """A read-only session that lives as long as a stream, with no limit on how long its one statement takes."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine().connect().execution_options(**options) as connection, Session(connection) as session:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        yield session


def get_session() -> Iterator[Session]:
    with work_unit() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session, scope="function")]
# The same for what is also called by hand, with whatever unit there is.
UnitDep = Annotated[Unit, Depends(get_session, scope="function")]


def fetch(unit: Unit, statement: LiteralString, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a statement, asked of the driver itself in the unit's transaction; placeholders are `%(name)s`.

    For the few statements that somebody waits for after every key they press, where SQLAlchemy's own work would be more
    than the driver's. A session's connection that breaks here is noticed by the rollback, as anywhere.
    """
    return ask(unit, statement, values)()


def ask(unit: Unit, statement: LiteralString, values: Mapping[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """`fetch` in two halves: what is asked before the first rows are looked at travels together, where the unit is a quick one."""
    if isinstance(unit, Pipeline):
        return unit.ask(statement, values).rows
    unit.flush()  # as SQLAlchemy would: what is about to be written comes first
    connection = unit.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return partial(list, connection.cursor(row_factory=dict_row).execute(statement, values).fetchall())


def commit_behind(unit: Unit) -> None:
    """Let a quick unit commit in the trip of what it has asked; another one commits at its end, as ever."""
    if isinstance(unit, Pipeline):
        unit.commit_behind()


def insert_rows(table: type[Table], rows: Sequence[Mapping[str, Any]]) -> Insert:
    """One INSERT for any number of rows, which travel as one JSON value; all rows have the keys of the first.

    The statement's text stays the same whatever the number, so nothing is parsed or planned again: 5 to 10 times as
    quick as a VALUES list. Defaults of columns that are left out apply.
    """
    names = list(rows[0])
    columns = [column(name, table.__table__.c[name].type) for name in names]
    sent = literal(orjson.dumps(rows, default=_as_text).decode(), Text)
    given = func.json_to_recordset(cast(sent, JSON)).table_valued(*columns).render_derived(with_types=True)
    return insert(table).from_select(names, select(*given.c))


def _as_text(value: object) -> str:
    """Bytes as Postgres writes them; the rest of what columns hold is known to orjson."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError


def among(values: InstrumentedAttribute[Value], wanted: Collection[Value]) -> ColumnElement[bool]:
    """`IN` with one array instead of one parameter for each value."""
    return values == any_(literal(list(wanted), ARRAY(values.type)))
