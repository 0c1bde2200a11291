"""A disk that is full fails a run in words and leaves nothing that looks whole; with room again the run ends as one that nobody disturbed.

The storage and the trainer's own folder are two small disks in memory. A gate (`place.py`) stops the trainer before it writes what is to
find no room, and the disk is filled but for less than one of the run's files takes: so a half one is begun. What limits a user instead of a disk, and needs no right to mount anything, is told in `tests/worker/test_keep.py`, by a limit on
the size of files; but then a write fails before its first byte beyond it, the disk has room for whatever else the run writes, and what
is in the way does not go away by itself. No user but root can make a disk smaller than those that are there, so for others these
stories are left out.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.place import EACH, LOOKED, MEASURED, STEPS, Place, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a busy machine takes its time over ten processes
LEFT_BYTES = 200_000
"""Less than the weights of the model take, and more than the files of a checkpoint beside them."""


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="tb-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        Path(name).chmod(0o755)
        place = Place(
            Path(name) / "home", Path(name) / "storage", lease_s=900
        )  # nobody dies here, however long they wait
        for folder in (place.storage, place.home / "runs"):
            stack.enter_context(a_small_disk(folder))
        stack.enter_context(place.up())
        place.freeze()
        yield place


@contextmanager
def a_small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "tiebreak-test", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no disk of its own can be made here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """But for `LEFT_BYTES`."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - LEFT_BYTES)
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture(scope="module")
def calm(place: Place) -> list[str]:
    """The weights of a run that nobody disturbs."""
    run_id = place.order(evaluate_every=EACH)
    until(lambda: place.rows.is_in(run_id, "finished"), "the calm run ends")
    return place.rows.weights(run_id)


@pytest.mark.parametrize(
    ("gate", "kept"), [(LOOKED + EACH, EACH), (MEASURED, STEPS)], ids=["the next state", "the checkpoint"]
)
@pytest.mark.parametrize("which", ["storage", "runs"])
def test_a_run_without_room_fails_in_words_and_goes_on_once_there_is_some(
    place: Place, calm: list[str], which: str, gate: int, kept: int
) -> None:
    disk = place.storage if which == "storage" else place.home / "runs"
    with place.rows.gate(gate) as open_gate:
        run_id = place.order(evaluate_every=EACH)
        until(lambda: place.rows.waiting_at(gate), "the trainer has kept a state")
        with filled(disk):
            open_gate()
            until(lambda: place.rows.run(run_id, "state") == "failed", "there is no room for what comes next")
            assert_it_says_why(place.rows.run(run_id, "error"), disk, kept)
            assert place.rows.all("SELECT max(step) FROM run_keep WHERE run_id = %s", run_id) == [(kept,)]
            assert place.rows.weights(run_id) == []
            until(lambda: place.stored(run_id) == place.rows.proved(run_id), "no file is left that no row names")
            until(lambda: not scratch(place, run_id), "nothing is left in the trainer's folder")
            before = place.rows.curve(run_id)
    place.api("POST", f"/runs/{run_id}/resume")
    until(lambda: place.rows.is_in(run_id, "finished"), "the run ends")
    assert place.rows.weights(run_id) == calm
    assert place.rows.curve(run_id)[:kept] == before[:kept]
    assert place.stored(run_id) == place.rows.proved(run_id)


def assert_it_says_why(words: str, disk: Path, kept: int) -> None:
    assert f"no room left on the disk of {disk}" in words
    assert "MB" in words
    assert f"resume the run; it goes on from step {kept}" in words


def scratch(place: Place, run_id: int) -> list[Path]:
    return [path for path in (place.home / "runs" / str(run_id)).rglob("*") if path.is_file() and path.suffix != ".txt"]


def test_what_is_stored_by_a_web_server_is_whole_or_not_there(place: Place) -> None:
    with filled(place.storage):
        with (place.storage / "filler").open("ab") as file:
            file.write(bytes(LEFT_BYTES - 8192))
        refused = place.ask("POST", "/projects/sums/datasets", {"name": "no-room"})
        assert (refused.status_code, "no room left" in refused.json()["detail"]) == (503, True)
        assert not list(place.storage.glob("datasets/no-room/**/*"))
    frozen: Any = place.api("POST", "/projects/sums/datasets", {"name": "no-room"})
    assert frozen["version"] == 1
