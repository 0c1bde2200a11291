"""The job as it runs: a real worker takes what an admin ordered, and another goes on where it was ended."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import db
from app.embedded.commands import argv
from app.models import Checkpoint, User
from app.settings import ROOT, get_settings
from tests import trained
from tests.app.publications.conftest import ordered, row_of, to_hub
from tests.hub_to_write import WRITER, Hub


@contextmanager
def worker(log: Path, stop_with: signal.Signals) -> Iterator[None]:
    with log.open("ab") as out:
        told = os.environ | {"TIEBREAK_HOME": str(get_settings().home)}
        process = subprocess.Popen(argv("app"), cwd=ROOT, env=told, stdout=out, stderr=out, start_new_session=True)
        try:
            yield
        finally:
            process.send_signal(stop_with)
            process.wait()
            if stop_with == signal.SIGKILL:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_is_asked_to_leave_gives_it_back_and_the_next_one_finishes(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub, tmp_path: Path, silence: None
):
    with db.work_unit() as session:
        row = session.get_one(Checkpoint, checkpoint.id)
        row.files = [*row.files, trained.add_file(row.prefix, "zzz.bin", b"more " * 2_000_000)]
    elsewhere.hold = row.files[-1]["sha256"]
    one = ordered(ada, row, to_hub(elsewhere))
    log = tmp_path / "log"
    with worker(log, signal.SIGTERM):
        assert elsewhere.in_the_middle.wait(120), log.read_text()
    elsewhere.hold = ""
    elsewhere.go_on.set()
    with worker(log, signal.SIGTERM):
        deadline = time.monotonic() + 180
        while row_of(one).state != "finished" and time.monotonic() < deadline:
            time.sleep(0.2)
    done = row_of(one)
    assert (done.state, done.error, done.secret) == ("finished", None, None), log.read_text()
    assert done.attempt >= 2
    assert set(elsewhere.uploads.values()) == {1}
    assert WRITER not in log.read_text()
