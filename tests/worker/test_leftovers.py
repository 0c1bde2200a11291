"""Files that no row will ever name go; those of somebody who is at work stay."""

from pathlib import Path
from typing import Any

import pytest

from app.settings import get_settings
from app.storage import store_file
from tests.ordered import change_run
from tests.worker.test_keep import EACH, empty_storage, files_kept, goes_on, keeps, stopped_at
from tests.worker.test_train import checkpoints, claimed, trained
from worker import exits, train
from worker.leftovers import forget_what_was_left
from worker.report import Report

__all__ = ["claimed", "empty_storage"]  # their fixtures


def leave(prefix: str, tmp_path: Path) -> Path:
    """A file without a row."""
    (tmp_path / "left").write_text("by somebody who was killed")
    store_file(prefix, "left", tmp_path / "left")
    return Path(get_settings().storage) / prefix / "left"


def test_whoever_goes_on_takes_away_what_earlier_attempts_left(
    claimed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = claimed(settings=EACH)
    with monkeypatch.context() as patch:
        stopped_at(2, patch)
        assert trained(run_id) == exits.STOPPED
    before = files_kept(run_id)
    folders = [f"kept/run-{run_id}/1-4", f"checkpoints/pairs-sft/run-{run_id}-1"]
    left = [leave(prefix, tmp_path) for prefix in folders]
    theirs = [f"kept/run-{run_id}/9-4", f"kept/run-{run_id}0/1-4", f"checkpoints/pairs-sft/run-{run_id}0-1"]
    others = [leave(prefix, tmp_path) for prefix in theirs]
    forget_what_was_left(Report(run_id, fence=2), "pairs-sft")
    assert [file.exists() for file in left] == [False, False]
    assert [file.exists() for file in others] == [True] * 3
    assert before < files_kept(run_id)
    assert goes_on(run_id) == exits.FINISHED


def test_a_checkpoint_that_comes_too_late_leaves_no_file(claimed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = claimed(settings=EACH)
    publish = train.publish

    def too_late(*told: Any) -> None:
        change_run(run_id, "fence = 7")
        publish(*told)

    monkeypatch.setattr(train, "publish", too_late)
    assert trained(run_id) == exits.FENCED
    assert checkpoints() == []
    assert not (Path(get_settings().storage) / f"checkpoints/pairs-sft/run-{run_id}-1").exists()
    assert [kept.step for kept in keeps(run_id)] == [4, 6]
