"""What it costs to look at how a large project is getting on: a million judgments of 200 people in 30 days.

    python -m benchmarks.live_view [--judgments 1000000] [--people 200] [--looks 20]

Asked as its owner's page asks, `app/projects/live.py`: with everything added up, with a sweep's worth of judgments that came in since
then, and with nothing added up at all, which is what every look would cost otherwise. The list of all projects is asked as
well, from the same sums and as counting item by item would have it.
"""

import statistics
import time
from collections.abc import Callable

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import db
from app.models import Project
from app.projects import tally
from app.projects.live import live
from app.projects.queries import counts
from benchmarks.databases import PEOPLE, database_of_its_own, settle
from benchmarks.report import Figure, command_line, finish, print_table

AT_MOST_MS = 150
WANTED = 3
PROJECT = """
    WITH project AS (
        INSERT INTO project (slug, name, kind, guidelines, judgments_per_item, lease_minutes, outcomes)
        VALUES ('p', 'p', 'pair', '', :wanted, 30, '{ranked,tie,all_bad,skip}') RETURNING id
    ), prompt AS (
        INSERT INTO prompt (project_id, messages, content_hash)
        SELECT id, '[{"role": "user", "content": "words"}]', 'x' FROM project RETURNING id, project_id
    )
    INSERT INTO item (project_id, prompt_id, response_ids, content_hash, wanted, open_slots)
    SELECT project_id, id, ARRAY[gen_random_uuid(), gen_random_uuid()], int8send(n), :wanted,
        CASE WHEN n <= :judgments / :wanted THEN 0 ELSE :wanted END
    FROM prompt, generate_series(1, 2 * :judgments / :wanted) AS n ORDER BY n"""
JUDGMENTS = """
    WITH turn AS (
        INSERT INTO assignment (project_id, item_id, user_id, state, seed, shown_order, expires_at)
        SELECT project_id, id, 1 + (id * :wanted + k) % :people, 'done', 0, '{}', now()
        FROM item, generate_series(1, :wanted) AS k WHERE open_slots = 0 RETURNING *
    )
    INSERT INTO judgment (
        project_id, assignment_id, item_id, user_id, judge_kind, outcome, tiers, client_key, duration_ms, created_at)
    SELECT project_id, id, item_id, user_id, 'human', CASE WHEN id % 7 = 0 THEN 'tie' ELSE 'ranked' END, '{}', 'k',
        8000 + id % 9000, now() - (1 - CAST(id AS float8) / :judgments) * interval '30 days'
    FROM turn ORDER BY id"""
FORGET_NEWEST = """
    UPDATE judged SET newest = (SELECT max(id) FROM judgment WHERE judgment.user_id = judged.user_id
        AND id <= (SELECT max(id) FROM judgment) - :worth_it)"""


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--looks", type=int, default=20)
    told = parser.parse_args()
    with database_of_its_own():
        prepare(told.judgments, told.people)
        found = measure(told.looks)
        db.engine().dispose()
    report(found)


def prepare(judgments: int, people: int) -> None:
    told = {"judgments": judgments, "people": people, "wanted": WANTED}
    with db.work_unit() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in (PEOPLE, PROJECT, JUDGMENTS):
            session.execute(text(statement), told)
    settle()


def measure(looks: int) -> dict[str, list[float]]:
    """Milliseconds of each look, and of adding up everything once."""
    found = {"with nothing added up": looked(2, live)}
    before = time.perf_counter()
    with db.work_unit() as session:
        tally.add_up(session)
    found["adding all of it up, once"] = [(time.perf_counter() - before) * 1000]
    found["with everything added up"] = looked(looks, live)
    found["all projects, counted one by one"] = looked(2, lambda session, project: counts(session, [project]))
    found["all projects"] = looked(looks, progress)
    with db.work_unit() as session:
        session.execute(text(FORGET_NEWEST), {"worth_it": tally.WORTH_IT})
    found["with as many newer ones as may be"] = looked(looks, live)
    found["all projects, as many newer"] = looked(looks, progress)
    return found


def progress(session: Session, project: Project) -> object:
    return tally.progress(session, [project.id])


def looked(looks: int, look: Callable[[Session, Project], object]) -> list[float]:
    times = []
    for _ in range(looks):
        with db.work_unit() as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            project = session.scalars(select(Project)).one()
            before = time.perf_counter()
            look(session, project)
            times.append((time.perf_counter() - before) * 1000)
    return times


def report(found: dict[str, list[float]]) -> None:
    print_table(
        ["a look, ms", "median", "most"],
        [(name, f"{statistics.median(one):.0f}", f"{max(one):.0f}") for name, one in found.items()],
    )
    figures = {
        name.replace(",", "").replace(" ", "_") + "_ms": Figure(
            round(statistics.median(found[name]), 1), AT_MOST_MS, at_least=False
        )
        for name in ("with everything added up", "with as many newer ones as may be", "all projects, as many newer")
    }
    finish("live_view", figures)


if __name__ == "__main__":
    main()
