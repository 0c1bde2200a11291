"""Which states of a run are kept, when and where: in storage, so that any trainer on any machine can go on from them.

A state is kept every ``save_steps`` steps, or every RESUME_EVERY_S seconds without that setting (where the best is wanted, every
``evaluate_every`` steps, at the points of the test curve); when the trainer is told to stop; and after the last step, for whoever extends the run. Files first, whole and summed, below a name with this attempt's fence; then
one transaction with the row, the steps told so far and the fence: a trainer that was overtaken writes files that no row names, and
takes them away again. The last RESUME_STATES stay, and the best by ``best_by`` on the test split.

Going on takes the newest state whose files are what their row says; where none is, the run begins anew.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from app.errors import BadInput, NotFound
from app.settings import get_settings
from app.storage import FAILURES, Corrupt, Stored, fetch, storage, store_file
from worker import state
from worker.batches import EncodedGroup
from worker.evaluate import worth
from worker.leftovers import forget_what_was_left, take_away
from worker.methods.settings import LAST, Training
from worker.policy import Model
from worker.processes import gathered, is_first
from worker.report import Fenced, Report

FILE = "state.safetensors"


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that was fetched: after ``step`` steps. ``told`` is what the run had found out by then."""

    step: int
    told: dict[str, Any]
    file: Path


def newest_kept(report: Report, checkpoint_name: str, folder: Path) -> Kept | None:
    """The newest state that is whole, copied into the folder; the run's row, curve and files in storage end where it does."""
    found = next((kept for row in report.kept() if (kept := _fetched(row, folder)) is not None), None)
    report.go_on_from(found.step if found else 0)
    forget_what_was_left(report, checkpoint_name)
    return found


def best_kept(report: Report, folder: Path) -> Kept | None:
    """The state that measured best on the test split."""
    return next((_fetched(row, folder) for row in report.kept() if row.is_best), None)


def _fetched(row: Any, folder: Path) -> Kept | None:
    (stored,) = (Stored(**file) for file in row.files)
    target = folder / "kept" / str(row.step) / stored.path
    try:
        fetch(row.prefix, stored, target)
    except (Corrupt, NotFound) as problem:
        print(f"the state after step {row.step} cannot be used: {problem}", flush=True)  # noqa: T201 -- the run's log
        return None
    return Kept(row.step, row.told, target)


class Keeping:
    """Keeps the states of one run as it goes, and goes back to them.

    ``told`` is what each keeps besides; ``held_out`` is what says which is the best, for runs that want that.
    """

    def __init__(
        self,
        report: Report,
        settings: Training,
        optimizer: torch.optim.Optimizer,
        told: dict[str, Any],
        folder: Path,
        held_out: Sequence[EncodedGroup],
    ) -> None:
        self.report, self.settings, self.optimizer = report, settings, optimizer
        self.told, self.folder, self.held_out = told, folder, held_out
        self.file = folder / "keeping" / FILE
        self.kept_at = time.monotonic()

    def back_to(self, kept: Kept | None, model: Model) -> tuple[Model, int]:
        """The model as it was when that state was kept, and after how many steps. Raises BadInput if it is not this run's."""
        if kept is None:
            return model, 0
        if kept.told["groups"] == self.told["groups"] and kept.told["data"] != self.told["data"]:
            raise BadInput(
                "The state that was kept of this run was made with other tokens than the dataset gives now, so it cannot go "
                "on from there. Order it again."
            )
        head = state.restore(model, self.optimizer, kept.file)
        return replace(model, halvings=head["halvings"]), kept.step

    def back_to_best(self, model: Model) -> dict[str, int]:
        """The weights become those that measured best, where the run wants them; returns the fact of which step that was."""
        best = best_kept(self.report, self.folder) if self.settings.best_by != LAST else None
        return {"published_step": self.back_to(best, model)[1]} if best else {}

    def is_due(self, done: int, total: int) -> bool:
        """After ``done`` steps of ``total``. Of several processes all do as the first."""
        if done == total:
            return True
        if every := states_every(self.settings):
            return done % every == 0
        return bool(gathered(time.monotonic() - self.kept_at >= get_settings().resume_every_s)[0])

    def keep(self, model: Model, done: int) -> None:
        """The state after ``done`` steps. Raises Fenced, having taken its files away, and OSError where they find no room."""
        head = {"step": done, "halvings": model.halvings}
        state.save(model, self.optimizer, self.file, head)
        measured = worth(model, self.settings.best_by, self.held_out) if self.settings.best_by != LAST else None
        if is_first():
            prefix = f"kept/run-{self.report.run_id}/{self.report.fence}-{done}"
            try:
                stored = store_file(prefix, FILE, self.file)
                gone = self.report.keep(done, prefix, stored, self.told, measured)
            except (Fenced, *FAILURES):
                take_away(self.report, prefix)
                raise
            finally:
                self.file.unlink(missing_ok=True)
            for old in gone:
                storage().delete_all(old)
        self.kept_at = time.monotonic()


def told_of(base: str, before: dict[str, Any], groups: Sequence[EncodedGroup]) -> dict[str, Any]:
    """What a state keeps besides: the exact base model, what it measured, and what the places in the data stand for."""
    tokens = json.dumps([[group.prompt, group.responses] for group in groups])
    return {"base": base, "before": before, "groups": len(groups), "data": sha256(tokens.encode()).hexdigest()}


def states_every(settings: Training) -> int:
    """Every how many steps a state is kept; 0 leaves it to the clock."""
    return settings.save_steps or (settings.evaluate_every if settings.best_by != LAST else 0)


def check_keeping(settings: Training, total: int) -> None:
    """Raises BadInput where the best is wanted and nothing but the last of ``total`` steps would be kept by the step."""
    if settings.best_by != LAST and not 0 < states_every(settings) < total:
        raise BadInput(
            f"best_by looks at the states that save_steps keeps, or evaluate_every without it; say every how many steps (this run has {total}).",
            field="save_steps",
        )
