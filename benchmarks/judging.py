"""What judging costs: 32 annotators over HTTP against the real server, beside a bare FastAPI route with one INSERT.

    python -m benchmarks.judging [--people 32] [--rounds 5] [--seconds 5] [--processes 2]

All sides are served by uvicorn with the same number of processes on the same Postgres, which keeps its promises as in
production (fsync on). They take turns, A B C C B A …, so that whatever else the machine does meets all of them; each
round is compared with the bare round beside it, and the median of these ratios counts. One loop of the real server is
one request that stores a judgment with its tuples and brings the next turn: `json` as a program sends it, `page` as
htmx does, with the turn rendered from Markdown as HTML. Afterwards the database is asked whether everything that was
acknowledged is there, once, and whether any item was judged more often than wanted.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import text

from app import db
from app.access import start_session
from app.models import Project, User
from app.people import service as people
from app.prompts.groups import GivenResponse, Group
from app.prompts.service import store
from benchmarks import crowd
from benchmarks.crowd import Round
from benchmarks.databases import database_of_its_own
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.servers import cpu_s, postmaster, served

SERVERS = {"tiebreak": "app.main:app", "bare": "benchmarks.bare:app"}
# Each way of judging with the server it goes to, and the least that it may do of what the bare route does.
SIDES = {"json": "tiebreak", "page": "tiebreak", "bare": "bare"}
LEAST_RATIO = {"json": 0.45, "page": 0.25}
WANTED = 2
ITEMS_A_SECOND = 2500
WORDS = [f"word{number}" for number in range(50)]


@dataclass(frozen=True)
class Measured:
    """One round of one side. CPU in milliseconds per loop."""

    loops_per_s: float
    p50_ms: float
    p95_ms: float
    server_ms: float
    postgres_ms: float
    client_ms: float

    @property
    def cpu_ms(self) -> float:
        return self.server_ms + self.postgres_ms + self.client_ms


def main() -> None:
    told = arguments()
    # Requests are counted, and few people send as many as 32 who never think.
    with database_of_its_own(fast=False, RATE_LIMIT="60000") as home, ExitStack() as stack:
        names = prepare(told.people, items=int((told.rounds + 1) * told.seconds * ITEMS_A_SECOND / WANTED))
        acknowledged, rounds = measure(told, names, home, stack)
        lost, surplus = check(acknowledged)
    report(told, rounds, lost, surplus)


def arguments() -> argparse.Namespace:
    parser = command_line(__doc__)
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--processes", type=int, default=2, help="of each web server")
    parser.add_argument("--clients", type=int, default=2, help="client processes")
    return parser.parse_args()


def prepare(size: int, items: int) -> dict[str, list[str]]:
    """A project with items and annotators; by side, what says who each of them is."""
    with db.work_unit() as session:
        project = Project(slug="benchmark", name="Benchmark", kind="pair", judgments_per_item=WANTED)
        session.add(project)
        session.flush()
        for start in range(0, items, 1000):
            store(session, project, [group(number) for number in range(start, min(start + 1000, items))])
    with db.work_unit() as session:
        users = [User(email=f"p{number}@example.org", name=f"p{number}", role="annotator") for number in range(size)]
        session.add_all(users)
        session.flush()
        for user in users:
            people.join(session, user.id, project.id)
        tokens = [people.make_token(session, user, ["judge"]) for user in users]
        cookies = [start_session(session, user) for user in users]
    return {"json": tokens, "page": cookies, "bare": tokens}


def group(number: int) -> Group:
    """A prompt of a line and two responses of a paragraph."""
    texts = [" ".join(WORDS[(number * 7 + place * turn) % len(WORDS)] for place in range(100)) for turn in (3, 5)]
    messages = [{"role": "user", "content": f"Question {number}: {' '.join(WORDS[:12])}?"}]
    return Group(messages, tuple(GivenResponse(f"{words} ({turn})", f"m{turn}") for turn, words in enumerate(texts)))


def measure(
    told: argparse.Namespace, names: dict[str, list[str]], home: Path, stack: ExitStack
) -> tuple[list[str], dict[str, list[Measured]]]:
    """Rounds of all sides in turn, after one for warming up; what the real server acknowledged in all of them."""
    servers = {
        name: stack.enter_context(served(app, told.processes, home / f"{name}.log")) for name, app in SERVERS.items()
    }
    clients = stack.enter_context(ProcessPoolExecutor(told.clients, get_context("spawn")))
    database = postmaster(home / "data" / "servers" / "postgres")
    rounds: dict[str, list[Measured]] = {side: [] for side in SIDES}
    acknowledged = []
    for number in range(told.rounds + 1):
        for side in sorted(SIDES, reverse=number % 2 == 0):
            port, server = servers[SIDES[side]]
            before = cpu_s(server), cpu_s(database)
            ends_at = time.time() + told.seconds
            crowds = [
                Round(side, "127.0.0.1", port, ends_at, names[side][place :: told.clients])
                for place in range(told.clients)
            ]
            seen = list(clients.map(crowd.play, crowds))
            if problems := [problem for one in seen for problem in one.problems]:
                give_up("\n".join([*problems[:3], (home / f"{SIDES[side]}.log").read_text()[-3000:]]))
            used = cpu_s(server) - before[0], cpu_s(database) - before[1]
            if side != "bare":
                acknowledged += [key for one in seen for key in one.acknowledged]
            if number:
                rounds[side].append(summed(seen, told.seconds, *used))
    return acknowledged, rounds


def summed(seen: Sequence[Round], seconds: float, server_s: float, postgres_s: float) -> Measured:
    latencies = sorted(latency for one in seen for latency in one.latencies_ms)
    loops = len(latencies)
    return Measured(
        loops_per_s=loops / seconds,
        p50_ms=latencies[loops // 2],
        p95_ms=latencies[loops * 95 // 100],
        server_ms=server_s * 1000 / loops,
        postgres_ms=postgres_s * 1000 / loops,
        client_ms=sum(one.cpu_s for one in seen) * 1000 / loops,
    )


def check(acknowledged: Sequence[str]) -> tuple[int, int]:
    """How many acknowledged judgments are not there exactly once, and how many items have more than they want."""
    with db.work_unit() as session:
        stored = session.execute(text("SELECT client_key, count(*) FROM judgment WHERE is_current GROUP BY 1")).all()
        surplus = session.execute(
            text("""SELECT count(*) FROM (
                SELECT FROM item JOIN judgment ON judgment.item_id = item.id AND is_current AND counted
                GROUP BY item.id HAVING count(*) > item.wanted) AS overfull""")
        ).scalar_one()
    there: dict[str, int] = dict(stored)
    return sum(there.get(key) != 1 for key in acknowledged) + len(set(there) - set(acknowledged)), surplus


def report(told: argparse.Namespace, rounds: dict[str, list[Measured]], lost: int, surplus: int) -> None:
    medians = {
        side: {name: statistics.median(getattr(one, name) for one in found) for name in Measured.__dataclass_fields__}
        for side, found in rounds.items()
    }
    told_of = f"{told.rounds} rounds of {told.seconds:g} s, {told.processes} server processes"
    print(f"{told.people} annotators, {told_of}, medians; load of the machine {os.getloadavg()[0]:.1f}")
    print_table(
        ["", "loops/s", "p50 ms", "p95 ms", "CPU ms: server", "Postgres", "client"],
        [[side, *(f"{value:.2f}" for value in found.values())] for side, found in medians.items()],
    )
    figures = {}
    for side, least in LEAST_RATIO.items():
        each = [a.loops_per_s / b.loops_per_s for a, b in zip(rounds[side], rounds["bare"], strict=True)]
        cpu = [b.cpu_ms / a.cpu_ms for a, b in zip(rounds[side], rounds["bare"], strict=True)]
        ratio = statistics.median(each)
        print(f"{side}: {ratio:.3f} of the bare route's loops (rounds: {', '.join(f'{one:.3f}' for one in each)})")
        print(
            f"{side}: {statistics.median(cpu):.3f} by CPU time of all (rounds: {', '.join(f'{one:.3f}' for one in cpu)})"
        )
        figures[f"{side}_ratio_to_bare_insert"] = Figure(round(ratio, 4), least)
        figures[f"{side}_ratio_to_bare_insert_by_cpu_time"] = Figure(round(statistics.median(cpu), 4), least)
    finish(
        "judging",
        figures
        | {
            "acknowledged_judgments_not_stored_once": Figure(lost, 0, at_least=False),
            "items_judged_more_often_than_wanted": Figure(surplus, 0, at_least=False),
        },
    )


if __name__ == "__main__":
    main()
