"""Looks at a run midway: what they tell, and that training does not feel them."""

import os
import random
import signal
from dataclasses import replace
from typing import Any

import pytest
import torch
from sqlalchemy import select

from app.db import work_unit
from app.models import RunMetric, RunQuestion, RunSample
from tests.ordered import change_run
from tests.small import GROUPS, small_model
from tests.worker.test_keep import empty_storage, goes_on, weights_of, without_clock
from tests.worker.test_train import ROWS, SMALL, claimed, interrupted, the_run, trained
from worker import exits, midway
from worker.methods import read_settings, reward
from worker.midway import looked_at, looks

__all__ = ["claimed", "empty_storage"]  # fixtures

SIX = SMALL | {"max_steps": 6, "learning_rate": 0.001, "save_steps": 2}
EVERY_TWO = {"evaluate_every": 2, "sample_every": 3}


def curve(run_id: int, prefix: str = "") -> list[tuple[int, dict[str, float]]]:
    """What each row has, but for times."""
    with work_unit() as session:
        rows = session.scalars(select(RunMetric).where(RunMetric.run_id == run_id).order_by(RunMetric.step)).all()
    return [
        (row.step, {name: value for name, value in without_clock(row.values).items() if name.startswith(prefix)})
        for row in rows
    ]


def points_of(run_id: int) -> list[tuple[int, dict[str, float]]]:
    return [(step, values) for step, values in curve(run_id, "test_") if values]


def asked(run_id: int) -> list[dict[str, Any]]:
    with work_unit() as session:
        rows = select(RunQuestion.asked).where(RunQuestion.run_id == run_id).order_by(RunQuestion.place)
        return list(session.scalars(rows))


def said(run_id: int) -> list[tuple[int, int, dict[str, Any]]]:
    with work_unit() as session:
        rows = select(RunSample).where(RunSample.run_id == run_id).order_by(RunSample.step, RunSample.place)
        return [(row.step, row.place, row.said) for row in session.scalars(rows)]


@pytest.mark.parametrize(
    "method",
    ["dpo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sft", "reward", "grpo_offline"))],
)
def test_the_weights_are_the_same_to_the_last_bit_whether_anybody_looks_or_not(claimed: Any, method: str) -> None:
    trained(claimed(checkpoint_name="starter"))
    how = SIX | ({"lora_rank": 0} if method != "dpo" else {"seed": 3})
    unseen = claimed(method, "starter", settings=how | {"evaluate_every": 0, "sample_every": 0})
    assert trained(unseen) == exits.FINISHED
    expected = weights_of()
    assert (points_of(unseen), asked(unseen), said(unseen)) == ([], [], [])
    seen = claimed(method, "starter", settings=how | {"evaluate_every": 1, "sample_every": 1})
    assert trained(seen) == exits.FINISHED
    assert weights_of() == expected
    learnt = [(step, {k: v for k, v in row.items() if not k.startswith("test_")}) for step, row in curve(seen)]
    assert [row for row in learnt if row[1]] == curve(unseen)
    assert the_run(seen).step == the_run(unseen).step == 6
    after = the_run(seen).results["after"]
    assert after == the_run(unseen).results["after"]

    points = points_of(seen)
    assert [step for step, _ in points] == list(range(7))
    names = {"test_loss"} if method == "sft" else {"test_loss", "test_accuracy", "test_margin"}
    assert all(set(values) == names for _, values in points)
    assert points[0][1]["test_loss"] != points[-1][1]["test_loss"]
    if method != "sft":  # ten held-out groups are fewer than the curve looks at, so both ends meet the full evaluation
        assert points[-1][1]["test_accuracy"] == pytest.approx(after["accuracy"])
    assert [place for step, place, _ in said(seen) if step == 6] == list(range(midway.PROMPTS))
    assert {step for step, _, _ in said(seen)} == set(range(7))


def test_a_policy_answers_the_same_prompts_and_a_reward_model_scores_the_same_responses(claimed: Any) -> None:
    trained(claimed(checkpoint_name="starter"))
    policy = claimed("sft", "starter", settings=SIX | EVERY_TWO)
    trained(policy)
    first = ROWS[30]
    assert asked(policy)[0]["prompt"] == first["prompt"][0]["content"]
    assert "answer" in asked(policy)[0]
    assert [(step, place) for step, place, _ in said(policy)] == [
        (step, place) for step in (0, 3, 6) for place in range(4)
    ]
    last = [told for step, _, told in said(policy) if step == 6]
    assert all(set(told) == {"text", "tokens", "ended", "right"} for told in last)
    samples = the_run(policy).results["after"]["samples"][:4]
    assert [told["text"] for told in last] == [each["text"] for each in samples]

    judge = claimed("reward", "starter", settings=SIX | EVERY_TWO)
    trained(judge)
    assert asked(judge)[0] == {
        "prompt": first["prompt"][0]["content"],
        "responses": first["responses"],
        "tiers": first["tiers"],
    }
    assert said(judge)[0] == (0, 0, {"scores": [0.0, 0.0]})  # a new head has no opinion
    assert len({tuple(told["scores"]) for _, place, told in said(judge) if place == 0}) == 3


def test_a_run_that_goes_on_has_each_look_once(claimed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped between two looks, and its chance is somebody else's when it goes on."""
    how = SIX | {"evaluate_every": 2, "sample_every": 2}
    calm = claimed(settings=how)
    trained(calm)
    expected = weights_of()
    run_id = claimed(settings=how)
    with monkeypatch.context() as patch:
        interrupted(patch, lambda: os.kill(os.getpid(), signal.SIGTERM), 4)
        assert trained(run_id) == exits.STOPPED
    assert [step for step, _ in points_of(run_id)] == [0, 2, 4]
    torch.manual_seed(99)
    random.seed(99)
    assert goes_on(run_id) == exits.FINISHED
    assert weights_of() == expected
    assert curve(run_id) == curve(calm)
    assert said(run_id) == said(calm)
    assert asked(run_id) == asked(calm)


def test_nobody_who_was_overtaken_tells_what_they_saw(claimed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = claimed(settings=SIX | EVERY_TWO)
    interrupted(monkeypatch, lambda: change_run(run_id, "fence = 7"), 1)
    assert trained(run_id) == exits.FENCED
    assert [step for step, _ in points_of(run_id)] == [0]
    assert {step for step, _, _ in said(run_id)} == {0}


@pytest.mark.slow
def test_the_best_point_of_the_test_curve_is_published_where_no_states_are_asked_for(claimed: Any) -> None:
    trained(claimed(checkpoint_name="starter"))
    how = SMALL | {"max_steps": 6, "learning_rate": 0.05, "best_by": "accuracy", "evaluate_every": 1}
    run_id = claimed("reward", "starter", settings=how)
    assert trained(run_id) == exits.FINISHED
    run = the_run(run_id)
    points = dict(points_of(run_id))
    best = max(range(1, 7), key=lambda step: points[step]["test_accuracy"])
    assert run.facts["published_step"] == best
    assert run.results["after"]["accuracy"] == pytest.approx(points[best]["test_accuracy"])


def test_a_run_no_longer_than_to_the_first_look_is_not_looked_at() -> None:
    assert [looks(every, 6) for every in (0, 7, 6, 5, 3, 1)] == [0, 0, 0, 3, 3, 7]


def test_the_curve_looks_at_a_draw_of_what_the_method_could_have_learnt_from(tokenizer: Any) -> None:
    model = small_model("reward", tokenizer)
    settings = read_settings(reward, {"evaluate_every": 1, "max_length": 64})
    many = [replace(each, prompt=({"role": "user", "content": f"Number {n}"},)) for n in range(40) for each in GROUPS]
    ties = [replace(each, tiers=(1,) * len(each.tiers)) for each in many[:9]]
    side = looked_at(reward, settings, model, [*ties, *many], total=5)
    assert len(side.examples) == len(side.groups) == midway.GROUPS
    assert not any(each in ties for each in side.examples)
    assert list(side.examples) != many[: midway.GROUPS]
    assert looked_at(reward, settings, model, [*ties, *many], total=5) == side
    assert looked_at(reward, settings, model, many, total=1).groups == []
