"""Tells one run to one tracking server while it is trained: a process of its own, so that no server can slow or fail a run.

    python -m worker.mirror RUN tensorboard:/a/folder [FENCE]

What it tells it reads from the database, as pages do. So a server that is slow, dead or not there yet misses nothing: what it has
not got is told once it answers. `mirrors.py` starts this process and closes its standard input when the attempt is over; from then
on the server has `PATIENCE_S` seconds to take the rest. What was given up can be told later by the same command: it ends by itself
once it has told a run that is over. On standard output it says when a server is lost and found; the libraries have standard error.
"""

import json
import os
import select as selecting
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from app.db import work_unit
from app.models import Dataset, Run, RunMetric, RunMirror
from app.run_states import LIVE
from app.settings import Mirror, get_settings, read_mirrors
from worker.trackers import Mirrored, Step, Tracker, open_tracker

EVERY_S = 2.0
NOTED_EVERY_S = 10.0
LONGEST_WAIT_S = 60.0
"""Between two tries to reach a server that does not answer."""
PATIENCE_S = 60.0
"""For a server to take the rest once the attempt is over, counted anew from whatever it takes."""
STEPS_AT_ONCE = 500
LONGEST_WORDS = 300


class Stream:
    """One run's way to one server. `is_over` waits for so many seconds at most and says whether the attempt has ended."""

    def __init__(self, run_id: int, mirror: Mirror, is_over: Callable[[float], bool], fence: int | None = None) -> None:
        self.run_id, self.mirror, self.is_over, self.fence = run_id, mirror, is_over, fence
        self.tracker: Tracker | None = None
        self.after = -1
        self.wait_s = 0.0
        self.is_lost = False
        self.noted_at = 0.0
        self.patience_until: float | None = None

    def follow(self) -> bool:
        """Until the attempt has ended and all is told; false when the server was given up."""
        while True:
            if self.is_over(self.wait_s):
                self._hurry()
            try:
                if self._look():
                    return True
            except Exception as problem:  # noqa: BLE001 -- whatever a library raises: this process ends by its patience alone
                self._lose(problem)
                if self.patience_until is not None:
                    if time.monotonic() > self.patience_until:
                        self._say(f"is given up, and has not got all of this run: {_line(problem)}")
                        self._note("given up", _line(problem))
                        return False
                    time.sleep(EVERY_S)

    def _look(self) -> bool:
        """Tell what is new; whether that was all."""
        state, fence, whole = _standing(self.run_id)
        self.fence = fence if self.fence is None else self.fence
        if fence != self.fence:
            return True  # another attempt has begun, and tells from here on
        if state not in LIVE:
            self._hurry()
        is_last = self.patience_until is not None
        if self.tracker is None:
            mirrored = read_run(self.run_id)
            tracker = open_tracker(self.mirror)
            self.after = tracker.start(mirrored)
            self.tracker = tracker
        while steps := read_steps(self.run_id, self.after, None if is_last else whole):
            self.tracker.write(steps, whole)
            self.after = steps[-1].number
            self._hear()
        if is_last:
            self.tracker.end(state, _results(self.run_id))
        self._hear()
        self._note("told" if is_last else "telling")
        return is_last

    def _hurry(self) -> None:
        if self.patience_until is None:
            self.patience_until = time.monotonic() + PATIENCE_S

    def _hear(self) -> None:
        if self.is_lost:
            self._say("answers again; what it missed is told now")
        self.is_lost, self.wait_s = False, EVERY_S
        if self.patience_until is not None:
            self.patience_until = time.monotonic() + PATIENCE_S

    def _lose(self, problem: Exception) -> None:
        """Begin anew the next time: what a library holds after an error is its own affair."""
        traceback.print_exception(problem)
        if not self.is_lost:
            self._say(f"cannot be told about this run now, which goes on; it is tried again: {_line(problem)}")
        self._note("lost", _line(problem))
        self.is_lost, self.tracker = True, None
        self.wait_s = min(max(2 * self.wait_s, EVERY_S), LONGEST_WAIT_S)

    def _note(self, state: str, problem: str | None = None) -> None:
        """For the run's page; one look in a few says again that all is well. A database that is away has not heard of it either."""
        if state == "telling" and time.monotonic() - self.noted_at < NOTED_EVERY_S:
            return
        self.noted_at = time.monotonic()
        with suppress(SQLAlchemyError):
            note(self.run_id, self.fence, self.mirror, state, self.after + 1, problem)

    def _say(self, words: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} mirror {self.mirror}: {words}", flush=True)  # noqa: T201 -- the run's log


def note(run_id: int, fence: int | None, mirror: Mirror, state: str, step: int, problem: str | None) -> None:
    """One statement, which writes nothing once another attempt has begun."""
    told = {"target": str(mirror), "state": state, "step": step, "problem": problem}
    mine = select(
        Run.id, *(literal(value, RunMirror.__table__.c[name].type) for name, value in told.items()), func.now()
    )
    row = insert(RunMirror).from_select(
        ["run_id", *told, "told_at"], mine.where(Run.id == run_id, or_(literal(fence).is_(None), Run.fence == fence))
    )
    new = {name: row.excluded[name] for name in ("state", "step", "problem", "told_at")}
    with work_unit() as session:
        session.execute(row.on_conflict_do_update(index_elements=["run_id", "target"], set_=new))


def read_run(run_id: int) -> Mirrored:
    """As it was ordered, with what tells it from others."""
    with work_unit() as session:
        run = session.get_one(Run, run_id)
        dataset = session.get_one(Dataset, run.dataset_id)
        made_of = {
            "method": run.method,
            "base_model": run.base_model,
            "dataset": f"{dataset.name} v{dataset.version}",
            "dataset_sha256": dataset.sha256,
        }
        address = f"{get_settings().address}/runs/{run.id}"
        return Mirrored(run.id, run.created_at, run.checkpoint_name, made_of | _plain(run.settings), address)


def read_steps(run_id: int, after: int, before: int | None) -> Sequence[Step]:
    """The next steps, a share of them at most; only numbers, since servers draw nothing else."""
    wanted = select(RunMetric.step, RunMetric.created_at, RunMetric.values).where(
        RunMetric.run_id == run_id, RunMetric.step > after
    )
    if before is not None:
        wanted = wanted.where(RunMetric.step < before)
    with work_unit() as session:
        rows = session.execute(wanted.order_by(RunMetric.step).limit(STEPS_AT_ONCE)).all()
    return [Step(row.step, row.created_at, _numbers(row.values)) for row in rows]


def _standing(run_id: int) -> tuple[str, int, int]:
    """A run's state, its fence, and how many of its steps are told whole."""
    with work_unit() as session:
        row = session.execute(select(Run.state, Run.fence, Run.step).where(Run.id == run_id)).one()
    return row.state, row.fence, row.step


def _results(run_id: int) -> dict[str, float]:
    with work_unit() as session:
        return _numbers(session.get_one(Run, run_id).results)


def _numbers(told: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in told.items() if type(value) in {int, float}}


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What has parts, in the words of JSON."""
    return {
        name: value if isinstance(value, str | int | float | bool) else json.dumps(value)
        for name, value in settings.items()
    }


def _line(problem: Exception) -> str:
    """Its first line: libraries add pages to theirs."""
    words = str(problem).strip() or type(problem).__name__
    return words.splitlines()[0][:LONGEST_WORDS]


def standard_input_ends(seconds: float) -> bool:
    """Nothing is ever written to it: it can be read once nobody holds its other end."""
    return bool(selecting.select([sys.stdin], [], [], seconds)[0])


def main(run_id: int, words: str, fence: int | None = None) -> int:
    """The exit status: 1 for a server that was given up. Without a fence, whichever attempt is the last one now."""
    os.nice(10)  # the run comes first
    (mirror,) = read_mirrors(words)
    return 0 if Stream(run_id, mirror, standard_input_ends, fence).follow() else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:4])))
