"""A trainer's log on a disk that is full."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import ROOT

SPEAKS = "import sys, traceback; print('step 1', flush=True); traceback.print_stack(); sys.exit(7)"


@pytest.mark.parametrize(("first", "status"), [("", 1), ("from worker.log import let_it_lose_lines as f; f();", 7)])
def test_words_that_find_no_room_end_no_run(first: str, status: int) -> None:
    """Every write to `/dev/full` is met as by a disk that is full; without our own log a process ends by it."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-u", "-c", first + SPEAKS]
        assert subprocess.run(command, cwd=ROOT, stdout=full, stderr=full, check=False).returncode == status


def test_where_there_is_room_every_word_is_there() -> None:
    words = "from worker.log import let_it_lose_lines as f; f(); print('ÿ', end='', flush=True)"
    told = subprocess.run([sys.executable, "-u", "-c", words], cwd=ROOT, capture_output=True, check=True)
    assert told.stdout == "ÿ".encode()
