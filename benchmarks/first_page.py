"""How long somebody waits for the first page: importing the web application, and starting its server.

    python -m benchmarks.first_page [--rounds 5]

The other side is the bare FastAPI application of `judging.py`, started the same way; the two take turns and medians are
compared. The database is running already, as it is for most starts of a web server. Importing must not load torch.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.settings import ROOT
from benchmarks.databases import database_of_its_own
from benchmarks.report import Figure, finish, give_up, print_table
from benchmarks.servers import served

SIDES = {"tiebreak": ("app.main", "/sign-in"), "bare": ("benchmarks.bare", "/healthz")}
MOST_SECONDS = 5.0
HEAVY = ("torch", "transformers", "pandas", "pyarrow")
IMPORT = """
import sys, time
before = time.perf_counter()
import {module}
print(time.perf_counter() - before)
print(*[name for name in {heavy} if name in sys.modules])
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Import time of the web application, and time from start to first page."
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    with database_of_its_own() as home:
        heavy = {name for module, _ in SIDES.values() for name in imported(module)[1]}
        importing = alternating(rounds, lambda side: imported(SIDES[side][0])[0])
        starting = alternating(rounds, lambda side: first_page(side, home))
    report(importing, starting, heavy)


def alternating(rounds: int, measure: Callable[[str], float]) -> dict[str, float]:
    """The median of each side, one measurement of each in turn."""
    seen: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(rounds):
        for side in sorted(SIDES, reverse=number % 2 == 0):
            seen[side].append(measure(side))
    return {side: statistics.median(found) for side, found in seen.items()}


def imported(module: str) -> tuple[float, list[str]]:
    """Seconds that importing takes in a fresh interpreter, and which heavy packages came along."""
    code = IMPORT.format(module=module, heavy=HEAVY)
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        give_up(ran.stderr[-2000:])
    seconds, heavy = ran.stdout.splitlines()
    return float(seconds), heavy.split()


def first_page(side: str, home: Path) -> float:
    """Seconds from starting the server to having read its first page."""
    module, path = SIDES[side]
    before = time.perf_counter()
    with served(f"{module}:app", 1, home / f"{side}.log", path):
        return time.perf_counter() - before


def report(importing: dict[str, float], starting: dict[str, float], heavy: set[str]) -> None:
    print_table(
        ["", "import s", "start to first page s"],
        [[side, f"{importing[side]:.2f}", f"{starting[side]:.2f}"] for side in SIDES],
    )
    print(f"heavy packages loaded: {', '.join(sorted(heavy)) or 'none'}")
    finish(
        "first_page",
        {
            "seconds_to_first_page": Figure(round(starting["tiebreak"], 3), MOST_SECONDS, at_least=False),
            "seconds_to_import": Figure(round(importing["tiebreak"], 3), MOST_SECONDS, at_least=False),
            "heavy_packages_loaded": Figure(len(heavy & {"torch", "transformers"}), 0, at_least=False),
        },
    )


if __name__ == "__main__":
    main()
