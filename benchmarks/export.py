"""What it costs to fetch every tuple (x, a⁺, a⁻) of a project: the API's stream beside Postgres' own COPY of the same join.

    python -m benchmarks.export [--tuples 1000000] [--rounds 3]

Each side reads all rows and throws them away, in turn. COPY sends the columns as they are stored; the stream makes a JSON
object of each row, through one web process. Memory is what that process holds at most, sampled while it streams; and a dataset
of the same judgments is frozen once, by the application's own function in a process of its own, for the time and the memory it takes.
"""

import argparse
import http.client
import os
import resource
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context

import psutil
import psycopg
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from app import db
from app.access import Person
from app.datasets.order import Order
from app.datasets.service import freeze
from app.judgments.preferences import _tuples
from app.models import Project, User
from app.people import service as people
from benchmarks.databases import database_of_its_own, settle
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.servers import cpu_s, served

LEAST_RATIO = 0.3
MOST_MEMORY_MB = 300
CHUNK = 1 << 20
# A prompt of 60 words and two responses of 100, each different from the others.
JUDGED = """
    WITH prompts AS (
        INSERT INTO prompt (project_id, messages, content_hash)
        SELECT :project, jsonb_build_array(jsonb_build_object('role', 'user', 'content', n || repeat(' question', 60))),
            sha256(convert_to('p' || n, 'UTF8'))
        FROM generate_series(CAST(:start AS int), CAST(:end AS int)) AS n RETURNING id
    ), responses AS (
        INSERT INTO response (id, prompt_id, text, model, content_hash)
        SELECT gen_random_uuid(), id, place || ' of ' || id || repeat(' answer', 100), 'm' || place,
            sha256(convert_to(place || 'r' || id, 'UTF8'))
        FROM prompts, generate_series(1, 2) AS place RETURNING id, prompt_id
    ), items AS (
        INSERT INTO item (project_id, prompt_id, response_ids, content_hash, wanted, open_slots)
        SELECT :project, prompt_id, array_agg(id), sha256(convert_to('i' || prompt_id, 'UTF8')), 1, 0
        FROM responses GROUP BY prompt_id RETURNING id, prompt_id, response_ids
    ), turns AS (
        INSERT INTO assignment (project_id, item_id, user_id, state, seed, shown_order, expires_at)
        SELECT :project, id, :person, 'done', 0, response_ids, now() FROM items RETURNING id, item_id, shown_order
    ), said AS (
        INSERT INTO judgment (project_id, assignment_id, item_id, user_id, judge_kind, outcome, tiers, client_key)
        SELECT :project, id, item_id, :person, 'human', 'ranked',
            jsonb_build_object(shown_order[1], 1, shown_order[2], 2), 'k'
        FROM turns RETURNING id, item_id
    )
    INSERT INTO preference (project_id, judgment_id, item_id, prompt_id, chosen_id, rejected_id)
    SELECT :project, said.id, items.id, prompt_id, response_ids[1], response_ids[2]
    FROM said JOIN items ON items.id = said.item_id"""
PORTION = 50_000


def main() -> None:
    told = arguments()
    with database_of_its_own() as home, ExitStack() as stack:
        token, project_id = prepare(told.tuples)
        port, server = stack.enter_context(served("app.main:app", 1, home / "web.log"))
        with watched(server) as memory:
            rounds = [measure(told.tuples, port, token, project_id, number) for number in range(told.rounds)]
        cpu = cpu_s(server) / told.rounds
        with ProcessPoolExecutor(1, get_context("spawn")) as other:
            frozen_s, frozen_mb = other.submit(freeze_all, project_id).result()
        db.engine().dispose()
    report(told, rounds, cpu, memory, frozen_s, frozen_mb)


def arguments() -> argparse.Namespace:
    parser = command_line(__doc__)
    parser.add_argument("--tuples", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def prepare(tuples: int) -> tuple[str, int]:
    """A project with as many judged pairs; a token that may fetch them, and the project's id."""
    with db.work_unit() as session:
        user = User(email="ada@example.org", name="Ada", role="admin")
        project = Project(slug="benchmark", name="Benchmark", kind="pair")
        session.add_all([user, project])
        session.flush()
        token, ids = people.make_token(session, user, ["export"]), (project.id, user.id)
    for start in range(0, tuples, PORTION):
        with db.work_unit() as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            values = {"project": ids[0], "person": ids[1], "start": start + 1, "end": min(start + PORTION, tuples)}
            session.execute(text(JUDGED), values)
    settle()
    return token, ids[0]


def measure(tuples: int, port: int, token: str, project_id: int, number: int) -> tuple[float, float]:
    """Seconds of both sides, the stream and the COPY, in an order that changes from round to round."""
    sides = [lambda: streamed(tuples, port, token), lambda: copied(tuples, project_id)]
    seconds = [0.0, 0.0]
    for side in (0, 1) if number % 2 == 0 else (1, 0):
        started = time.perf_counter()
        sides[side]()
        seconds[side] = time.perf_counter() - started
    return seconds[0], seconds[1]


def streamed(tuples: int, port: int, token: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", "/api/v1/projects/benchmark/preferences", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    last = b""
    while chunk := answer.read(CHUNK):
        last = (last + chunk)[-200:]
    if f'"tuples":{tuples}'.encode() not in last:
        give_up(f"the stream ended with {last!r}")


def copied(tuples: int, project_id: int) -> None:
    query = _tuples(project_id).compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    with db.read_session() as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY ({query}) TO STDOUT") as rows:
                for _ in rows:
                    pass
            if cursor.rowcount != tuples:
                give_up(f"COPY sent {cursor.rowcount} rows")


@contextmanager
def watched(server: psutil.Process) -> Iterator[list[float]]:
    """The most megabytes that a server holds meanwhile, alone in a list."""
    most, is_over = [0.0], threading.Event()

    def look() -> None:
        while not is_over.wait(0.1):
            held = sum(one.memory_info().rss for one in (server, *server.children(recursive=True)))
            most[0] = max(most[0], held / 1e6)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        is_over.set()
        thread.join()


def freeze_all(project_id: int) -> tuple[float, float]:
    """Seconds, and the most megabytes that this process has held."""
    started = time.perf_counter()
    with db.work_unit() as session:
        freeze(session, Person(1, "Ada", "admin"), session.get_one(Project, project_id), Order(name="all"))
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def report(
    told: argparse.Namespace,
    rounds: list[tuple[float, float]],
    cpu: float,
    memory: list[float],
    frozen_s: float,
    frozen_mb: float,
) -> None:
    stream, copy = (told.tuples / statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(copy_s / stream_s for stream_s, copy_s in rounds)
    print(f"{told.tuples:,} tuples, {told.rounds} rounds, medians; load of the machine {os.getloadavg()[0]:.1f}")
    print_table(
        ["", "rows/s", "memory MB"],
        [
            ["stream", f"{stream:,.0f}", f"{memory[0]:.0f}"],
            ["COPY", f"{copy:,.0f}", ""],
            ["freeze", f"{told.tuples / frozen_s:,.0f}", f"{frozen_mb:.0f}"],
        ],
    )
    print(f"stream: {ratio:.3f} of COPY's rows a second; {cpu / told.tuples * 1e6:.1f} µs of the web process a row")
    finish(
        "export",
        {
            "stream_ratio_to_copy": Figure(round(ratio, 4), LEAST_RATIO),
            "web_memory_mb": Figure(round(memory[0], 1), MOST_MEMORY_MB, at_least=False),
            "freeze_memory_mb": Figure(round(frozen_mb, 1), MOST_MEMORY_MB, at_least=False),
        },
    )


if __name__ == "__main__":
    main()
