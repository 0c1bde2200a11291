"""What a claim costs with a thousand, a hundred thousand and a million items, in each order of the queue.

    python -m benchmarks.queue_scale [--people 200] [--history 500] [--rounds 5] [--claims 200]

Three projects in one database. Every item stays open, and all of
the annotators have judged the same long head of the queue: whoever walks from the head passes it again with every claim.
The sizes take turns; a round's figure is the 95th percentile of its claims, and the medians of the rounds are compared.
A claim is timed as the server makes it, lock and statements, through the application's own function. It is committed and the turn
given back outside of that time: how long a disk takes to keep a promise is `judging`'s to measure, and depends on no size.
"""

import argparse
import random
import statistics
import time
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import db
from app.models.project import ORDERS
from app.queue.service import claim, release
from benchmarks.databases import PEOPLE, database_of_its_own, settle
from benchmarks.report import Figure, command_line, finish, give_up, print_table

SIZES = (1_000, 100_000, 1_000_000)
MOST_TIMES = 2.0
# Postgres looks at a statement with its values five times before it may keep one plan for all values.
WARM_UP = 10

PROJECT = """
    WITH project AS (
        INSERT INTO project (slug, name, kind, guidelines, judgments_per_item, lease_minutes, outcomes)
        VALUES ('p' || CAST(:size AS text), 'p', 'pair', '', 1000, 30, '{ranked,tie,all_bad,skip}') RETURNING id
    ), prompt AS (
        INSERT INTO prompt (project_id, messages, content_hash)
        SELECT id, '[{"role": "user", "content": "words"}]', 'x' FROM project RETURNING id, project_id
    ), response AS (
        INSERT INTO response (id, prompt_id, text, content_hash)
        SELECT gen_random_uuid(), prompt.id, 'text ' || n, int8send(n) FROM prompt, generate_series(1, 2) AS n RETURNING id
    )
    INSERT INTO item (project_id, prompt_id, response_ids, content_hash, wanted, open_slots, priority)
    SELECT project_id, prompt.id, (SELECT array_agg(id) FROM response), int8send(n), 1000,
        CASE WHEN n <= :history THEN 1000 - :people ELSE 1000 END, CAST(n AS float8) / :size
    FROM prompt, generate_series(1, :size) AS n ORDER BY n"""
HISTORY = """
    WITH head AS (
        SELECT id, project_id FROM item WHERE project_id = :project ORDER BY id LIMIT :history
    ), turn AS (
        INSERT INTO assignment (project_id, item_id, user_id, state, seed, shown_order, expires_at)
        SELECT head.project_id, head.id, "user".id, 'done', 0, '{}', now() FROM head, "user" RETURNING *
    )
    INSERT INTO judgment (project_id, assignment_id, item_id, user_id, judge_kind, outcome, tiers, client_key)
    SELECT project_id, id, item_id, user_id, 'human', 'tie', '{}', 'k' FROM turn ORDER BY item_id, user_id"""


def main() -> None:
    told = arguments()
    if told.history >= SIZES[0]:
        give_up(f"the smallest project has {SIZES[0]} items; give a shorter history")
    with database_of_its_own():
        projects = prepare(told.people, told.history)
        found = {order: measure(told, projects, order) for order in ORDERS}
        db.engine().dispose()
    report(told, found)


def arguments() -> argparse.Namespace:
    parser = command_line(__doc__)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--history", type=int, default=500, help="items at the head that everybody has judged")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--claims", type=int, default=200, help="of each size in a round")
    return parser.parse_args()


def prepare(people: int, history: int) -> dict[int, int]:
    """The projects' ids by their number of items."""
    projects = {}
    with db.work_unit() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text(PEOPLE), {"people": people})
        for size in SIZES:
            started = time.perf_counter()
            session.execute(text(PROJECT), {"size": size, "history": history, "people": people})
            projects[size] = session.execute(text("SELECT max(id) FROM project")).scalar_one()
            session.execute(text(HISTORY), {"project": projects[size], "history": history})
            print(f"{size:,} items, {people * history:,} judgments: {time.perf_counter() - started:.0f} s")
    return projects


def measure(told: argparse.Namespace, projects: dict[int, int], order: str) -> dict[int, list[Sequence[float]]]:
    """Milliseconds of each claim, by size and round."""
    with db.work_unit() as session:
        session.execute(text("UPDATE project SET item_order = :order"), {"order": order})
        session.execute(text("UPDATE assignment SET reason = :order"), {"order": order})
    settle()
    draw = random.Random(0)
    found: dict[int, list[Sequence[float]]] = {size: [] for size in SIZES}
    for size in SIZES:
        claims(projects[size], told.people, WARM_UP, draw)
    for number in range(told.rounds):
        for size in sorted(SIZES, reverse=number % 2 == 0):
            found[size].append(claims(projects[size], told.people, told.claims, draw))
    return found


def claims(project_id: int, people: int, number: int, draw: random.Random) -> Sequence[float]:
    times = []
    for _ in range(number):
        person_id = draw.randint(1, people)
        with Session(db.engine()) as session:
            session.connection()
            before = time.perf_counter()
            turn = claim(session, person_id, project_id)
            times.append((time.perf_counter() - before) * 1000)
            session.commit()
            if turn is None:
                give_up("a claim came back empty")
            release(session, person_id, turn.assignment_id)
            session.commit()
    return times


def p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def report(told: argparse.Namespace, found: dict[str, dict[int, list[Sequence[float]]]]) -> None:
    print(f"{told.people} annotators who have judged the first {told.history} items; {told.rounds} rounds, medians")
    rows, figures = [], {}
    for order, by_size in found.items():
        tails = {size: statistics.median(map(p95, rounds)) for size, rounds in by_size.items()}
        middles = {size: statistics.median(map(statistics.median, rounds)) for size, rounds in by_size.items()}
        rows.append([order, *(f"{middles[size]:.2f} / {tails[size]:.2f}" for size in SIZES)])
        times = tails[SIZES[-1]] / tails[SIZES[0]]
        figures[f"{order}_p95_of_a_million_items_to_that_of_a_thousand"] = Figure(
            round(times, 3), MOST_TIMES, at_least=False
        )
        figures |= {
            f"{order}_p95_ms_with_{size}_items": Figure(
                round(tails[size], 3), round(MOST_TIMES * tails[SIZES[0]], 3), at_least=False
            )
            for size in SIZES
        }
    print_table(["claim, p50 / p95 ms", *(f"{size:,} items" for size in SIZES)], rows)
    finish("queue_scale", figures)


if __name__ == "__main__":
    main()
