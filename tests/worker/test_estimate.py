"""What a preflight says that a run will take, beside what the run takes: each in a process of its own, on the sample task.

Steps must be equal, and memory within a factor of 1.5. Seconds depend on what else the machine does: `benchmarks/estimate.py` compares them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.access import Person
from app.datasets.order import Order
from app.datasets.service import freeze
from app.db import work_unit
from app.imports.service import import_file
from app.models import Dataset, Preflight, Run, User
from app.projects.service import create_project
from app.settings import ROOT
from samples.task import study_records
from tests.trained import make_preflight, make_run

FACTOR = 1.5
GROUPS = 1500
CASES = {
    "sft": {},
    "reward": {"max_steps": 30, "evaluate_every": 10, "sample_every": 10},
    "dpo": {"max_steps": 30, "evaluate_every": 0, "sample_every": 0},
    "grpo_offline": {"epochs": 2, "groups_per_step": 64, "max_length": 2048, "too_long": "drop"},
}


@pytest.fixture
def dataset(database: Engine, ada: User, tmp_path: Path) -> Dataset:
    person = Person(ada.id, ada.name, ada.role)
    file = tmp_path / "study.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in study_records(0, GROUPS)))
    with work_unit() as session:
        project = create_project(session, person, slug="study", name="Study", kind="pair")
        import_file(session, project, person, file)
        return freeze(session, person, project, Order(name="study")).dataset


def process(*words: str) -> None:
    """One thread, so that its buffers are the same wherever this is tried."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def asked(dataset: Dataset, order: dict[str, Any]) -> dict[str, Any]:
    with work_unit() as session:
        preflight_id = make_preflight(session, dataset, state="running", attempt=1, **order).id
    process("worker.preflight", "--id", str(preflight_id), "--attempt", "1")
    with work_unit() as session:
        found = session.get_one(Preflight, preflight_id)
        assert found.state == "answered", found.error
        return found.answer


def trained(dataset: Dataset, order: dict[str, Any], name: str) -> Run:
    with work_unit() as session:
        run_id = make_run(session, dataset, state="running", fence=1, checkpoint_name=name, **order).id
    process("worker.train", "--run", str(run_id), "--fence", "1")
    with work_unit() as session:
        return session.get_one(Run, run_id)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_says_as_many_steps_as_there_are_and_about_the_memory(dataset: Dataset) -> None:
    trained(dataset, {"method": "sft", "base_model": "blank", "settings": {"max_steps": 20}}, "base")
    ratios = {}
    for method, settings in CASES.items():
        order = {"method": method, "base_model": "base", "settings": settings}
        answer, run = asked(dataset, order), trained(dataset, order, method)
        assert answer["time"]["steps"] == run.total_steps == run.step
        ratios[method] = answer["memory"]["bytes"] / run.facts["peak_memory_bytes"]
    assert all(1 / FACTOR < ratio < FACTOR for ratio in ratios.values()), ratios
    print(ratios)  # noqa: T201 -- a figure to look at, with -s
