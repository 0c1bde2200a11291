"""What the page of a run costs with a thousand steps and with a hundred thousand: the first view, and the part that asks for itself.

    python -m benchmarks.run_page [--steps 1000 100000] [--rounds 5] [--views 10]

Two runs in training in one database, told by the statements that a trainer tells its steps with. The shorter and the longer take
turns; what is counted is the time of the web server's process and of Postgres together, in milliseconds for each view, so that
other work on the machine matters little; the medians of the rounds are compared. A refresh where nothing has happened is measured beside.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Final

import httpx
import psutil
from sqlalchemy import text

from app import db
from app.access import hash_password
from app.models import Dataset, Project, Run, User
from app.run_shares import make_shares
from benchmarks.databases import database_of_its_own, settle
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.servers import cpu_s, postmaster, served

MOST_MS: Final = 150.0
MOST_TIMES: Final = 2.0
EMAIL, PASSWORD = "dora@example.org", "dora-password"
VIEWS: Final = {
    "first view": "/runs/{run}",
    "all curves": "/runs/{run}?curves=all",
    "refresh": "/runs/{run}/progress?seen=0",
    "refresh, nothing new": "/runs/{run}/progress?seen={version}",
}
STEPS: Final = """
    INSERT INTO run_metric (run_id, step, values)
    SELECT :run, n, jsonb_build_object(
        'loss', 0.7 - n * 0.4 / :steps + random() * 0.01, 'accuracy', 0.5 + random() * 0.1, 'margin', random(),
        'chosen', random(), 'rejected', random(), 'entropy', random(), 'largest_log_ratio', random(),
        'learning_rate', 1e-4, 'gradient_norm', random(), 'tokens_per_second', random() * 1000, 'truncated', 0.0, 'dropped', 0.0)
    FROM generate_series(0, :steps - 1) AS n"""


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--steps", type=int, nargs=2, default=[1_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--views", type=int, default=10, help="of each kind and run in a round")
    told = parser.parse_args()
    with database_of_its_own() as home:
        runs = {steps: prepare(steps) for steps in told.steps}
        db.engine().dispose()
        with served("app.main:app", 1, home / "web.log") as (port, server):
            found = measure(told, runs, port, [server, postmaster(home / "data" / "servers" / "postgres")])
    report(told, found)


def prepare(steps: int) -> int:
    """A run in training that has told so many steps; returns its id."""
    with db.work_unit() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        user = User(email=f"{steps}@example.org", name="Dora", password_hash="", role="annotator")
        admin = User(email=EMAIL, name="Dora", password_hash=hash_password(PASSWORD), role="admin")
        is_first = session.execute(text("SELECT count(*) FROM project")).scalar_one() == 0
        project = Project(slug=f"p{steps}", name="Pairs", kind="pair")
        session.add_all([user, project, *([admin] if is_first else [])])
        session.flush()
        dataset = Dataset(
            project_id=project.id, name=f"pairs-{steps}", version=1, filters={}, split={}, counts={}, files=[],
            sha256="", prefix="", created_by=user.id,
        )  # fmt: skip
        session.add(dataset)
        session.flush()
        run = Run(
            dataset_id=dataset.id, method="dpo", settings={"beta": 0.1}, base_model="starter", checkpoint_name="pairs",
            created_by=user.id, state="running", stage="training", step=steps, total_steps=2 * steps,
        )  # fmt: skip
        session.add(run)
        session.flush()
        session.execute(text(STEPS), {"run": run.id, "steps": steps})
        make_shares(session, run.id, 0, steps - 1)
        return run.id


Costs = dict[str, dict[int, list[float]]]


def measure(told: argparse.Namespace, runs: dict[int, int], port: int, counted: list[psutil.Process]) -> Costs:
    """Milliseconds of processor time for each view, by kind, number of steps, and round."""
    settle()
    db.engine().dispose()
    found: Costs = {view: {steps: [] for steps in runs} for view in VIEWS}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser:
        browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
        pages = {
            (view, steps): address.format(run=run, version=version_of(browser, run))
            for view, address in VIEWS.items()
            for steps, run in runs.items()
        }
        for page in pages.values():
            seen(browser, page)
        for number in range(told.rounds):
            for view, steps in sorted(pages, reverse=number % 2 == 0):
                page = pages[view, steps]
                cost = cpu_ms(lambda page=page: [seen(browser, page) for _ in range(told.views)], counted)  # type: ignore[misc]
                found[view][steps].append(cost / told.views)
    return found


def version_of(browser: httpx.Client, run: int) -> str:
    """What the page asks with for its part that changes."""
    _, mark, rest = browser.get(f"/runs/{run}").text.partition("progress?seen=")
    if not mark:
        give_up("the page of a run does not ask for its progress")
    return rest.partition('"')[0]


def seen(browser: httpx.Client, page: str) -> None:
    answer = browser.get(page)
    if answer.status_code not in {200, 204}:
        give_up(f"{page} answered {answer.status_code}: {answer.text[:500]}")


def cpu_ms(work: Callable[[], object], counted: list[psutil.Process]) -> float:
    before = sum(cpu_s(each) for each in counted)
    work()
    time.sleep(0.05)  # for the server to put its things away
    return (sum(cpu_s(each) for each in counted) - before) * 1000


def report(told: argparse.Namespace, found: Costs) -> None:
    short, long = told.steps
    print(f"ms of processor time for each view, web server and Postgres together; {told.rounds} rounds, medians")
    rows, figures = [], {}
    for view, costs in found.items():
        few, many = (statistics.median(costs[steps]) for steps in (short, long))
        rows.append([view, f"{few:.1f}", f"{many:.1f}", f"{many / few:.2f}"])
        name = view.replace(", ", "_").replace(" ", "_")
        figures[f"{name}_ms_with_{long}_steps"] = Figure(round(many, 1), MOST_MS, at_least=False)
        figures[f"{name}_of_{long}_steps_to_{short}"] = Figure(round(many / few, 3), MOST_TIMES, at_least=False)
    print_table(["", f"{short:,} steps", f"{long:,} steps", "ratio"], rows)
    finish("run_page", figures)


if __name__ == "__main__":
    main()
