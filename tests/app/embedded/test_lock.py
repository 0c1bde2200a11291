"""One Tiebreak per data folder."""

import threading
import time
from pathlib import Path

import pytest

from app.embedded.lock import NAME, RUNNING, data_folder_lock, running
from app.errors import Mistake


def test_whoever_asks_does_not_keep_a_start_from_a_folder_whose_tiebreak_was_killed(tmp_path: Path):
    with data_folder_lock(tmp_path) as lock:
        lock.note(RUNNING)
    over = time.monotonic() + 1

    def ask() -> None:
        while time.monotonic() < over:
            running(tmp_path)
            time.sleep(0.001)

    asking = threading.Thread(target=ask)
    asking.start()
    while asking.is_alive():
        with data_folder_lock(tmp_path):
            pass
    asking.join()


def test_a_running_one_is_named(tmp_path: Path):
    with data_folder_lock(tmp_path) as lock:
        lock.note(RUNNING, address="http://here")
        assert (running(tmp_path) or {})["address"] == "http://here"
        with pytest.raises(Mistake, match=r"already running .*http://here"), data_folder_lock(tmp_path):
            pass
    assert (tmp_path / NAME).exists()
    assert running(tmp_path) is None
