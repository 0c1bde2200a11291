"""What no row names is found, and nothing else is."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.db import work_unit
from app.models import User
from app.storage import Storage
from tests.app.test_inventory import verify
from tests.ordered import change_run
from tests.trained import make_checkpoint, make_dataset, make_run

LEFT = {"kept/run-{run}/1-4", "kept/run-{run}/2-4", "checkpoints/pairs-dpo/run-{run}-2", "datasets/pairs/v2"}
OTHERS = {
    "kept/run-{run}/3-8",  # its trainer is at work
    "checkpoints/pairs-dpo/run-{run}-3",
    "kept/run-{run}/4-8",  # no fence of ours: the rows are older than the files
    "kept/run-999/1-4",
    "checkpoints/pairs-dpo/run-999-1",
    "datasets/pairs/v1",
    "datasets/new/v1",  # is being frozen
    "kept/notes/mine",
    "references/some",
}


@pytest.fixture
def run_id(ada: User, files: Storage, tmp_path: Path) -> int:
    """A run in training, by the trainer with fence 3."""
    for folder in ("kept", "checkpoints", "datasets", "references"):
        files.delete_all(folder)
    with work_unit() as session:
        dataset = make_dataset(session, "pairs")
        run = make_run(session, dataset, state="running", fence=3)
        make_checkpoint(session, run)
        run_id = run.id
    (tmp_path / "file").write_text("left")
    for folder in LEFT | OTHERS:
        files.put(folder.format(run=run_id) + "/file", tmp_path / "file")
    return run_id


def there(files: Storage, run_id: int) -> set[str]:
    return {folder for folder in LEFT | OTHERS if _is_there(files, folder.format(run=run_id))}


def _is_there(files: Storage, folder: str) -> bool:
    return folder in files.folders(folder.rpartition("/")[0])


def test_it_is_named_and_deleted_when_that_is_asked_for(run_id: int, files: Storage) -> None:
    with work_unit() as freezing:
        freezing.scalar(select(func.pg_advisory_xact_lock(func.hashtextextended("dataset:new", 0))))
        code, told = verify()
        assert code == 0
        assert {line.partition(" is")[0] for line in told.splitlines() if "is named by no row" in line} == {
            folder.format(run=run_id) for folder in LEFT
        }
        assert there(files, run_id) == LEFT | OTHERS
        verify("--tidy")
        assert there(files, run_id) == OTHERS
    assert "named by no row" in verify()[1]  # what was being frozen, and came to nothing


def test_a_run_that_is_over_needs_nothing_but_what_rows_name(run_id: int, files: Storage) -> None:
    change_run(run_id, "state = 'failed'")
    verify("--tidy")
    assert not there(files, run_id) & {"kept/run-{run}/3-8", "checkpoints/pairs-dpo/run-{run}-3"}
    assert "none of them wrong" in verify()[1]
