"""The code of the page about the client runs, cell by cell, against a real web server process."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app import client, db
from app.models import Run, User
from app.settings import ROOT
from samples.task import study_records
from tests import trained
from tests.app.client.conftest import token_of
from tests.ordered import change_run
from worker.announce import main as announce
from worker.supervise import Lifeline, supervise

PAGE = ROOT / "docs" / "client.md"
PATIENCE_S = 120
RUN_CELLS = """
import sys
from pathlib import Path
for cell in Path("cells").read_text().split("\\0"):
    exec(compile(cell, "docs/client.md", "exec"), globals())
"""


def cells() -> list[str]:
    """Each as far down in its text as it is on the page, so that a failure names the page's line."""
    page = PAGE.read_text()
    return [
        "\n" * page[: one.start(1)].count("\n") + one[1] for one in re.finditer(r"```python\n(.*?)```", page, re.DOTALL)
    ]


class Notebook:
    """A process elsewhere that has the client and what the page tells to set."""

    def __init__(self, folder: Path, server: str, token: str, cells: list[str]) -> None:
        shutil.copytree(ROOT / "app" / "client", folder / "tiebreak_client")
        (folder / "cells").write_text("\0".join(cells))
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", RUN_CELLS],
            env={"PYTHONPATH": str(folder), "TIEBREAK_URL": server, "TIEBREAK_TOKEN": token, "HF_HUB_OFFLINE": "1"},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ordered(self) -> int:
        """The run that it has ordered, as soon as it has."""
        ends = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < ends:
            with db.work_unit() as session:
                found = session.scalars(select(Run.id).where(Run.checkpoint_name == "animals-dpo")).one_or_none()
            if found is not None:
                return found
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError(self.process.communicate()[1])

    def end(self) -> str:
        told, problem = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, problem
        return told


def publish_starter(dataset: str = "starting") -> None:
    with db.work_unit() as session:
        made = trained.make_dataset(session, dataset)
        trained.make_checkpoint(session, trained.make_run(session, made, state="finished"), name="starter")


def test_its_cells_run(server: str, ada: User, tmp_path: Path):
    """All but the one that loads weights; the trainer is played by hand, one state after the other."""
    with db.work_unit() as session:
        trained.make_trainer(session)
    publish_starter()
    here = [cell for cell in cells() if "transformers" not in cell]
    assert len(here) == len(cells()) - 1 == 9
    notebook = Notebook(tmp_path, server, token_of(ada), here)
    run_id = notebook.ordered()
    change_run(run_id, "state = 'claimed'")
    change_run(run_id, "state = 'running', step = 10, total_steps = 20")
    with db.work_unit() as session:
        run = session.get_one(Run, run_id)
        trained.add_metrics(session, run, 20)
        trained.make_checkpoint(session, run)
    results = """results = '{"after": {"accuracy": 0.9}}'"""
    change_run(run_id, f"state = 'finished', step = 20, finished_at = now(), {results}")
    told = notebook.end()
    assert "40 new, 0 there already\nitem 40: " in told
    assert "What has" in told
    assert "finished 0.9\n" in told
    assert "404 " in told
    assert (tmp_path / "animals-v1" / "train.parquet").exists()
    assert (tmp_path / "animals-dpo-v1" / "model.safetensors").stat().st_size == 40_000


@pytest.mark.slow
def test_its_cells_run_with_a_real_training(server: str, ada_api: TestClient, ada: User, tmp_path: Path):
    """A starter is trained for a few steps first; the notebook's run by the supervisor and its child process."""
    announce("test")
    with client.Client(server, token_of(ada)) as admin:
        admin.create_project("study")
        admin.push("study", study_records(0, 60))
        small = {"max_steps": 3, "groups_per_step": 8, "seed": 1}
        starter = admin.train("sft", admin.freeze("study", "study"), base_model="blank", name="starter", **small)
        supervise(starter.id, owner="test", lifeline=Lifeline())
        starter.wait(progress=False)
    notebook = Notebook(tmp_path, server, token_of(ada), cells())
    supervise(notebook.ordered(), owner="test", lifeline=Lifeline())
    notebook.end()
    assert (tmp_path / "animals-dpo-v1" / "config.json").exists()


def test_it_names_what_there_is():
    told = set(re.findall(r"`(\w+Error)`", PAGE.read_text()))
    assert told == {name for name in client.__all__ if name.endswith("Error")}
