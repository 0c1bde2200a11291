"""Runs: how far one is, waiting for its end, and what it published.

A run belongs to the server. Whoever stops waiting, by Ctrl-C or by closing a laptop, stops nothing.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from .checkpoints import Checkpoint
from .connection import TRY_AGAIN, Connection
from .errors import ApiError, ConnectionLostError, RunCancelledError, RunFailedError, StillRunningError, TiebreakError
from .progress import shown
from .reading import read

POLL_S = 1.0
LONGEST_POLL_S = 5.0
# A server may be down for as long as this while somebody waits: it restarts, a laptop sleeps, a line is bad.
PATIENCE_S = 600.0
OVER = frozenset({"finished", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training as it was when it was asked about; `refresh` asks again.

    `state` is queued, claimed, running, cancelling, finished, failed or cancelled; `stage` says it in words while it goes.
    `results` has what the model is worth `before` and `after`.
    """

    id: int
    method: str
    state: str
    stage: str
    dataset_id: Annotated[int, "dataset"]
    dataset_name: str
    base_model: str
    checkpoint_name: str
    checkpoint_id: Annotated[int | None, "checkpoint"]
    settings: dict[str, Any]
    step: int
    total_steps: int | None
    seconds_left: float | None
    results: dict[str, Any]
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    priority: int = 0
    tags: tuple[str, ...] = ()
    note: str = ""
    _connection: Connection = field(repr=False, compare=False)

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def refresh(self) -> "Run":
        return read(Run, self._connection.get(f"runs/{self.id}"), self._connection)

    def wait(self, *, progress: bool = True, timeout_s: float | None = None) -> "Run":
        """The run once it has finished.

        Raises RunFailedError or RunCancelledError with its words, StillRunningError after `timeout_s`.
        """
        ends = None if timeout_s is None else time.monotonic() + timeout_s
        run, pause_s = self, POLL_S
        with shown(f"run {self.id} ({self.method})", unit="step", is_wanted=progress) as bar:
            try:
                while True:
                    run = run._seen()
                    bar.show(run.step, run.total_steps, _words(run))
                    if run.is_over:
                        break
                    if ends is not None and time.monotonic() + pause_s > ends:
                        raise StillRunningError(f"run {run.id} is not over after {timeout_s:g} s: {_words(run)}", run)
                    time.sleep(pause_s)
                    pause_s = min(pause_s * 1.1, LONGEST_POLL_S)
            except KeyboardInterrupt as stopped:
                stopped.add_note(f"Run {self.id} goes on; `client.run({self.id}).wait()` looks at it again.")
                raise
        return run.checked()

    def checked(self) -> "Run":
        """Itself, unless it failed or was cancelled: then that is raised."""
        if self.state == "failed":
            raise RunFailedError(f"run {self.id} failed: {self.error or 'it says nothing more'}", self)
        if self.state == "cancelled":
            raise RunCancelledError(f"run {self.id} was cancelled after step {self.step}", self)
        return self

    def checkpoint(self) -> Checkpoint:
        """What it published. Raises TiebreakError where there is nothing yet."""
        run = self if self.checkpoint_id is not None else self.refresh().checked()
        if run.checkpoint_id is None:
            raise TiebreakError(f"run {run.id} has published nothing yet; it is {run.state}")
        return read(Checkpoint, self._connection.get(f"checkpoints/{run.checkpoint_id}"), self._connection)

    def metrics(self) -> Iterator[dict[str, Any]]:
        """What each step measured: `step`, and numbers by their names."""
        return self._connection.pages(f"runs/{self.id}/metrics")

    def cancel(self) -> "Run":
        """A queued run ends at once, a running one after its step."""
        return self._told("cancel")

    def resume(self) -> "Run":
        """A run that failed or was cancelled goes on from its last kept state."""
        return self._told("resume")

    def _told(self, verb: str) -> "Run":
        return read(Run, self._connection.post(f"runs/{self.id}/{verb}"), self._connection)

    def _seen(self) -> "Run":
        """Itself as it is now, however long that takes, up to `PATIENCE_S`."""
        began = time.monotonic()
        while True:
            try:
                return self.refresh()
            except (ConnectionLostError, ApiError) as problem:
                is_passing = isinstance(problem, ConnectionLostError) or problem.status in TRY_AGAIN
                if not is_passing or time.monotonic() - began > PATIENCE_S:
                    raise
                time.sleep(LONGEST_POLL_S)


def _words(run: Run) -> str:
    if run.state == "queued":
        return "waiting for a trainer"
    if run.is_over:
        return run.state
    left = f", {run.seconds_left:,.0f} s left" if run.seconds_left is not None else ""
    return f"{run.stage or run.state}{left}"
