"""What a run waits for that nobody trains yet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.db import work_unit
from app.runs.waiting import why_it_waits
from tests.trained import METHODS, SHARED, make_checkpoint, make_dataset, make_run, make_trainer

PROCESSES = {
    "name": "processes",
    "type": "int",
    "default": 1,
    "low": 1,
    "high": 2,
    "help": "How many.",
    "narrowed": True,
}
SMALL = [METHODS[2] | {"settings": [*SHARED, PROCESSES]}]
LARGE = [METHODS[2] | {"settings": [*SHARED, PROCESSES | {"high": 8}]}]
HERE = "No trainer that is running can do processes=4. Start one that can, with `tiebreak worker train`, or cancel this run."


@pytest.mark.parametrize(
    ("trainers", "words"),
    [
        ([], "No trainer is running. Start one with `tiebreak worker train`; it takes this run by itself."),
        ([("big", 7200, LARGE)], "it takes this run by itself. big could take it, and was last seen 2 hours ago."),
        ([("small", 7200, SMALL)], "it takes this run by itself."),
        ([("small", 1, SMALL)], HERE),
        ([("small", 1, SMALL), ("big", 7200, LARGE)], f"{HERE} big could take it, and was last seen 2 hours ago."),
        ([("small", 1, METHODS[:2])], "No trainer that is running can do dpo."),
        ([("small", 1, SMALL), ("big", 1, LARGE)], "A trainer is about to take it."),
    ],
)
def test_it_names_the_trainer_that_is_missing(session: Session, trainers: list[tuple[str, float, Any]], words: str):
    for name, seen_s_ago, methods in trainers:
        make_trainer(session, name, seen_s_ago=seen_s_ago, methods=methods)
    waits = why_it_waits(session, make_run(session, settings={"processes": 4}))
    assert waits is not None
    assert words in waits
    assert waits.endswith(words.rpartition(" ")[2]) or "dpo" in words


def test_it_names_the_run_that_makes_its_base_model(session: Session):
    make_trainer(session)
    dataset = make_dataset(session)
    first = make_run(session, dataset, method="sft", checkpoint_name="starter", base_model="blank", state="running")
    run = make_run(session, dataset)
    assert why_it_waits(session, run) == f"Waits until run {first.id} has made its base model “starter”."
    make_checkpoint(session, first, name="starter")
    assert why_it_waits(session, run) == "Waits behind 1 other run."


def test_programs_are_told_as_well(ada_api: TestClient):
    with work_unit() as session:
        make_trainer(session)
        make_checkpoint(session, name="starter")
    order = {"method": "dpo", "dataset": "pairs", "settings": {"max_steps": 5}}
    first, second = (ada_api.post("/api/v1/runs", json=order).json() for _ in range(2))
    assert (first["waits"], second["waits"]) == ("A trainer is about to take it.", "Waits behind 1 other run.")
    assert ada_api.get(f"/api/v1/runs/{second['id']}").json()["waits"] == second["waits"]
    ada_api.post(f"/api/v1/runs/{first['id']}/cancel")
    assert ada_api.get(f"/api/v1/runs/{first['id']}").json()["waits"] is None


def test_a_run_whose_trainer_fell_silent_says_so_in_every_state_in_which_one_has_it(session: Session):
    lease = datetime.now(UTC) - timedelta(minutes=3)
    for state in ("claimed", "running", "cancelling"):
        run = make_run(session, state=state, owner="train@gone", lease_until=lease)
        words = why_it_waits(session, run) or ""
        assert "train@gone, has fallen silent: its lease ran out 3 minutes ago." in words
        assert "`tiebreak worker app`" in words
        run.lease_until = datetime.now(UTC) + timedelta(seconds=50)
        assert why_it_waits(session, run) is None


def test_a_run_that_a_free_trainer_leaves_there_says_where_to_look(session: Session):
    make_trainer(session)
    run = make_run(session, created_at=datetime.now(UTC) - timedelta(minutes=5))
    assert "nobody has taken it for 5 min" in (why_it_waits(session, run) or "")
    make_run(session, state="finished", finished_at=datetime.now(UTC))
    assert why_it_waits(session, run) == "A trainer is about to take it."
