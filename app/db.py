"""The engine, the session of a request, and the only place that commits.

One request is one transaction, committed **before the first byte of the response**: a route takes `SessionDep`, whose
scope "function" makes FastAPI leave the dependency (and so commit) before it sends. Jobs and hot paths open their own
`work_unit()`. A stream opens `read_session()`, because the request's session has ended before its first byte.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Annotated

import orjson
from fastapi import Depends
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from app.settings import get_settings


@lru_cache
def engine() -> Engine:
    """One pool per process. Times are UTC in every session; a statement that hangs is ended after a minute."""
    settings = get_settings()
    return create_engine(
        psycopg_url(settings.database_url),
        pool_size=settings.pool_size,
        max_overflow=settings.pool_size,
        pool_pre_ping=False,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={"options": "-c timezone=UTC -c statement_timeout=60000", "application_name": "tiebreak"},
    )


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
