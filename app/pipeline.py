"""One transaction of what a key press waits for, spoken with Postgres in libpq's pipeline mode.

Statements are sent as they are asked and answered together: whoever asks two before looking at the rows of the first waits
once, and the transaction's beginning travels with the first of all. Each statement is parsed, prepared and planned once in each
connection, and what is known of its parameters and columns is kept with it. A cursor of psycopg, which learns them anew for
every statement, takes three times as long, and longer than Postgres itself takes for one that reads a row.
"""

import re
import select
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, LiteralString, Self

import orjson
import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.json import set_json_loads

Row = dict[str, Any]
_DONE = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})
_PARAMETER = re.compile(r"%\((\w+)\)s")


@lru_cache(maxsize=1000)
def _as_postgres_has_it(statement: LiteralString) -> tuple[bytes, tuple[str, ...]]:
    """The statement with $1, $2, … for its `%(name)s`, and their names in this order."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return numbered.replace("%%", "%").encode(), names


class _Prepared:
    """A statement that one connection knows by name. Parameters are of the types of the first ones; all travel as text."""

    def __init__(self, connection: psycopg.Connection, name: bytes, statement: LiteralString) -> None:
        self.name = name
        self.text, self._parameters = _as_postgres_has_it(statement)
        self._adapting = Transformer(connection)
        self._formats = [PyFormat.TEXT] * len(self._parameters)
        self._columns: list[str] | None = None

    def written(self, values: Mapping[str, Any]) -> Any:
        return self._adapting.dump_sequence([values[name] for name in self._parameters], self._formats)

    @property
    def types(self) -> Any:
        return self._adapting.types

    def read(self, result: PGresult) -> list[Row]:
        if result.nfields == 0:
            return []
        self._adapting.set_pgresult(result, set_loaders=self._columns is None)
        if self._columns is None:
            names = (result.fname(place) for place in range(result.nfields))
            self._columns = [(name or b"").decode() for name in names]
        columns = self._columns
        return self._adapting.load_rows(0, result.ntuples, lambda row: dict(zip(columns, row, strict=True)))


class Answer:
    """What a statement will have been answered with once somebody looks at its rows."""

    result: PGresult | None = None

    def __init__(self, wire: "Wire", prepared: _Prepared) -> None:
        self._wire = wire
        self._prepared = prepared

    def rows(self) -> list[Row]:
        """Waits for all that was sent. Raises the first error of Postgres, which has answered nothing behind it."""
        if self.result is None:
            self._wire.receive()
        assert self.result is not None
        return self._prepared.read(self.result)


class Wire:
    """A connection with the statements that it knows. Nobody else speaks on it; an error of Postgres closes it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        set_json_loads(orjson.loads, connection)
        self._connection = connection
        self._libpq = connection.pgconn
        self._libpq.nonblocking = 1
        self._libpq.enter_pipeline_mode()
        self._prepared: dict[str, _Prepared] = {}
        self._unanswered: list[Answer | None] = []  # None is a preparation, whose answer nobody looks at
        self._readable = select.poll()
        self._readable.register(self._libpq.socket, select.POLLIN)

    def send(self, statement: LiteralString, values: Mapping[str, Any]) -> Answer:
        prepared = self._prepared.get(statement)
        if prepared is not None:
            written = prepared.written(values)
        else:
            prepared = _Prepared(self._connection, b"key_press_%d" % len(self._prepared), statement)
            written = prepared.written(values)
            self._libpq.send_prepare(prepared.name, prepared.text, prepared.types)
            self._unanswered.append(None)
            self._prepared[statement] = prepared
        self._libpq.send_query_prepared(prepared.name, written)
        self._unanswered.append(answer := Answer(self, prepared))
        return answer

    def receive(self) -> None:
        if not self._unanswered:
            return
        self._libpq.pipeline_sync()
        self._flush()
        for answer in self._unanswered:
            result = self._next()
            if result is None or result.status not in _DONE:
                self._connection.close()  # so that no statement, and no commit, can follow
                raise error_from_result(result) if result else psycopg.OperationalError("an answer is missing")
            self._next()  # None: this was all of it
            if answer is not None:
                answer.result = result
        self._unanswered = []
        self._next()  # the sync's own

    def _flush(self) -> None:
        """What is sent does not fit into the socket's buffer as long as Postgres cannot get rid of its own answers."""
        if not self._libpq.flush():
            return
        movable = select.poll()
        movable.register(self._libpq.socket, select.POLLIN | select.POLLOUT)
        while self._libpq.flush():
            movable.poll()
            self._libpq.consume_input()

    def _next(self) -> PGresult | None:
        while self._libpq.is_busy():
            self._readable.poll()
            self._libpq.consume_input()
        return self._libpq.get_result()


class Pipeline:
    """One transaction on a wire: committed at the end, rolled back on any exception; after one of the driver the wire is cut."""

    def __init__(self, wire: Wire, notes: list[tuple[LiteralString, Mapping[str, Any]]]) -> None:
        self._wire = wire
        self._is_begun = False
        self.notes = notes
        self.once_committed: list[Callable[[], None]] = []

    def ask(self, statement: LiteralString, values: Mapping[str, Any]) -> Answer:
        if not self._is_begun:
            self._wire.send("BEGIN", {})
            self._is_begun = True
        return self._wire.send(statement, values)

    def commit_behind(self) -> None:
        """Commit in the same trip, unless something asked before fails. What is asked from here on is a transaction of its own."""
        if self._is_begun:
            self._wire.send("COMMIT", {})
        self._is_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(problem, psycopg.Error):
            if self._is_begun:
                self._wire.send("COMMIT" if problem is None else "ROLLBACK", {})
            self._wire.receive()
        if problem is None:
            for do in self.once_committed:
                do()
