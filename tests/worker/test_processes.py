"""One run in two processes, through the real supervisor: the numbers and weights of one process, and one end for both."""

import math
import os
import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from sqlalchemy import select

from app.db import work_unit
from app.models import RunKeep, RunMetric
from tests.ordered import change_run
from tests.worker.test_keep import TIMES, without_clock
from tests.worker.test_midway import said
from tests.worker.test_supervise import log_of, until
from tests.worker.test_train import SMALL, checkpoints, claimed, copied, the_run, trained
from worker import exits, launch, processes
from worker.supervise import Lifeline, supervise

__all__ = ["claimed"]  # a fixture

WAITING = {"state": "queued", "fence": 0}
UNEVEN = SMALL | {"groups_per_step": 29, "learning_rate": 0.001}
"""Of 30 groups the second step has one, so that one of the two processes has nothing to do in it."""


def steps(run_id: int) -> list[dict[str, float]]:
    with work_unit() as session:
        rows = session.scalars(select(RunMetric).where(RunMetric.run_id == run_id).order_by(RunMetric.step)).all()
        return [each.values for each in rows]


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], names: Iterable[str]) -> float:
    """Of all weights together: where a gradient is nothing but rounding, AdamW makes a whole step of it."""
    return math.sqrt(sum(float((one[name] - other[name]).square().sum()) for name in names))


def supervised(run_id: int) -> None:
    supervise(run_id, owner="train@here", lifeline=Lifeline())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
@pytest.mark.parametrize(("method", "lora_rank"), [("dpo", 0), ("reward", 4)])
def test_two_processes_come_to_the_numbers_and_weights_of_one(
    claimed: Any, tmp_path: Path, method: str, lora_rank: int
) -> None:
    trained(claimed(checkpoint_name="starter"))
    order = UNEVEN | {"lora_rank": lora_rank, "evaluate_every": 1, "sample_every": 1}
    two = claimed(method, "starter", settings=order | {"processes": 2}, checkpoint_name="two", **WAITING)
    supervised(two)
    assert the_run(two).state == "finished", the_run(two).error or log_of(two)
    one = claimed(method, "starter", settings=order, checkpoint_name="one")
    assert trained(one) == exits.FINISHED

    for ours, theirs in zip(steps(two), steps(one), strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours.keys() - TIMES:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-4, abs=1e-5), name
    assert "test_accuracy" in steps(two)[-1]
    assert [each[:2] for each in said(two)] == [each[:2] for each in said(one)] != []
    assert the_run(two).facts["parameters"] == the_run(one).facts["parameters"]
    for when in ("before", "after"):
        ours, theirs = (the_run(each).results[when] for each in (two, one))
        assert ours.keys() == theirs.keys()
        assert ours["margin"] == pytest.approx(theirs["margin"], rel=1e-3, abs=1e-5)
        assert ours.get("right_answers") == theirs.get("right_answers")
    start, of_two, of_one = (copied(each, tmp_path / each.name) for each in checkpoints())
    assert (of_two / "config.json").read_text() == (of_one / "config.json").read_text()
    made, expected, before = (load_file(folder / "model.safetensors") for folder in (of_two, of_one, start))
    assert made.keys() == expected.keys()
    moved = distance(expected, before, before.keys() & expected.keys())
    apart = distance(made, expected, made.keys())
    assert apart < 1e-3 * moved, (apart, moved)


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_run_in_words(claimed: Any) -> None:
    settings = SMALL | {"max_steps": 100_000, "processes": 2}
    run_id = claimed(settings=settings, in_vain=2, **WAITING)
    thread = threading.Thread(target=supervised, args=[run_id])
    thread.start()
    try:
        until(lambda: the_run(run_id).stage == "training" and the_run(run_id).step > 0, seconds=120)
        trainers = [each for each in psutil.Process().children(recursive=True) if "worker.train" in each.cmdline()]
        both = [each for each in trainers if "worker.launch" not in each.cmdline()]
        assert len(both) == 2
        second = next(each for each in both if each.environ()[launch.RANK] == "1")
        os.kill(second.pid, signal.SIGKILL)
    finally:
        thread.join(timeout=60)
    assert not thread.is_alive()
    assert not any(each.is_running() for each in both)
    run = the_run(run_id)
    assert run.state == "failed"
    assert run.error is not None
    assert "was killed in each of the last 3 attempts" in run.error
    assert "process 2 of 2 was ended by SIGKILL" in run.error


@pytest.mark.slow
def test_both_processes_end_their_step_when_a_person_cancels(claimed: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="worker.supervise")
    run_id = claimed(settings=SMALL | {"max_steps": 100_000, "processes": 2}, **WAITING)
    thread = threading.Thread(target=supervised, args=[run_id])
    thread.start()
    try:
        until(lambda: the_run(run_id).stage == "training" and the_run(run_id).step > 0, seconds=120)
        change_run(run_id, "state = 'cancelling'")
    finally:
        thread.join(timeout=60)
    assert the_run(run_id).state == "cancelled"
    assert f"ended CANCELLED with status {exits.STOPPED}" in caplog.text


@pytest.mark.slow
def test_a_cancelled_run_of_two_goes_on_to_the_last_bit_and_in_one_process_to_the_same_numbers(
    claimed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two hold a part of the weights each; what is kept is whole, and is given out again to as many as there are."""
    monkeypatch.setattr("worker.supervise.LONGEST_BEAT_S", 0.1)  # sooner than sixty steps are done
    trained(claimed(checkpoint_name="starter"))
    order = UNEVEN | {"max_steps": 60, "processes": 2}
    calm, disturbed = (
        claimed("dpo", "starter@v1", settings=order, checkpoint_name=name, **WAITING) for name in ("calm", "disturbed")
    )
    supervised(calm)
    assert 0 < cancelled_in_training(disturbed) < 60
    fewer = claimed("dpo", "starter@v1", settings=order | {"processes": 1}, checkpoint_name="fewer")
    with work_unit() as session:
        kept = session.scalars(select(RunKeep).where(RunKeep.run_id == disturbed)).one()
        told = {name: getattr(kept, name) for name in ("step", "prefix", "files", "told")}
        session.add(RunKeep(run_id=fewer, **told))
    assert trained(fewer) == exits.FINISHED
    change_run(disturbed, "state = 'queued'")
    supervised(disturbed)
    assert the_run(disturbed).state == "finished", the_run(disturbed).error or log_of(disturbed)

    folders = {each.name: copied(each, tmp_path / each.name) for each in checkpoints()}
    weights = {name: load_file(folder / "model.safetensors") for name, folder in folders.items()}
    expected, before = weights["calm"], weights["starter"]
    assert all(expected[name].equal(weights["disturbed"][name]) for name in expected)
    assert [without_clock(each) for each in steps(calm)] == [without_clock(each) for each in steps(disturbed)]
    moved = distance(expected, before, before.keys() & expected.keys())
    assert distance(expected, weights["fewer"], expected.keys()) < 0.05 * moved


def cancelled_in_training(run_id: int) -> int:
    """After how many steps."""
    thread = threading.Thread(target=supervised, args=[run_id])
    thread.start()
    try:
        until(lambda: the_run(run_id).stage == "training", seconds=120)
        change_run(run_id, "state = 'cancelling'")
    finally:
        thread.join(timeout=120)
    assert the_run(run_id).state == "cancelled", the_run(run_id).error or log_of(run_id)
    (step,) = keeps_of(run_id)
    return step


def keeps_of(run_id: int) -> list[int]:
    """After which steps a state is kept."""
    with work_unit() as session:
        return list(session.scalars(select(RunKeep.step).where(RunKeep.run_id == run_id).order_by(RunKeep.step)))


def test_a_run_whose_order_is_wrong_says_so_whatever_processes_it_asks_for(claimed: Any) -> None:
    run_id = claimed(settings={"processes": "two"})
    assert trained(run_id) == exits.FAILED
    assert the_run(run_id).error == "processes must be a whole number, not 'two'."


def test_shares_are_even_and_hold_every_place_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [7, 1, 5, 5, 2, 9, 3]
    monkeypatch.setenv(launch.COUNT, "3")
    shares = []
    for rank in range(3):
        monkeypatch.setenv(launch.RANK, str(rank))
        shares.append(processes.own_share(sizes))
    assert sorted(place for share in shares for place in share) == list(range(len(sizes)))
    assert [sum(sizes[place] for place in share) for share in shares] == [11, 11, 10]


def test_one_process_is_given_back_what_it_gave() -> None:
    model = torch.nn.Linear(2, 2)
    assert processes.own_share([3, 1, 2]) == [0, 1, 2]
    assert processes.gathered("said") == ["said"]
    assert list(processes.in_step(["a", "b"], lambda: "spare")) == [("a", True), ("b", True)]
    assert processes.shard(model, torch.device("cpu")) == torch.device("cpu")
    assert type(model) is torch.nn.Linear
