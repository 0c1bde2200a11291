"""Each broken run is told what is wrong with it; a healthy one is left alone."""

import math
from typing import Any

import pytest

from app.runs.diagnosis import LOOKS, diagnose

Json = dict[str, Any]

DPO = {"loss": "logistic", "beta": 0.1}
BEFORE = {"accuracy": 0.5, "pairs": 200, "log_loss": 0.693, "answer_tokens": 20.0, "answers_unended": 0.0}
AFTER = {"accuracy": 0.7, "pairs": 200, "log_loss": 0.6, "answer_tokens": 24.0, "answers_unended": 0.05}
SURE = {"intervals": {"accuracy": [0.64, 0.76]}}


def curve(n: int = 40, **ends: tuple[float, float]) -> list[Json]:
    """Steps whose measurements go in a straight line; a healthy run but for what is given."""
    usual = {
        "loss": (0.693, 0.55),
        "accuracy": (0.5, 0.75),
        "gradient_norm": (1.0, 0.5),
        "largest_log_ratio": (0.0, 0.4),
    }
    lines = (usual | ends).items()
    return [
        {"step": step, **{name: low + (high - low) * step / (n - 1) for name, (low, high) in lines}}
        for step in range(n)
    ]


def names(
    metrics: list[Json] | None = None,
    before: Json | None = None,
    after: Json | None = None,
    method: str = "dpo",
    **facts: Any,
) -> list[str]:
    results = {"before": BEFORE | (before or {}), "after": AFTER | SURE | (after or {})}
    found = diagnose(method, DPO, facts, results, curve() if metrics is None else metrics)
    assert all(finding.words and finding.advice for finding in found)
    return [finding.name for finding in found]


def test_a_healthy_run_is_left_alone():
    assert names(truncation={"responses": 400, "responses_cut": 3, "prompts": 200, "groups_dropped": 0}) == []


def test_nothing_is_said_of_what_is_not_known():
    for results in ({}, {"before": None, "after": [1]}, {"after": {"accuracy": None, "intervals": {}}}):
        assert diagnose("dpo", {}, {}, results, []) == ()
    assert diagnose("sft", {}, {"truncation": {}}, {"before": {"accuracy": 1.0}}, [{"step": 0, "loss": 2.0}]) == ()


def test_a_loss_that_stays_at_ln_2_is_told_in_plain_words():
    metrics = curve(loss=(0.6931, 0.6899), accuracy=(0.5, 0.52))
    (finding,) = diagnose("dpo", DPO, {}, {}, metrics)
    assert (finding.name, finding.is_grave) == ("stuck", True)
    assert "0.693" in finding.words
    assert "learning rate" in finding.advice


def test_a_loss_of_another_kind_or_a_short_run_may_stay_where_it_is():
    flat = curve(loss=(0.6931, 0.6931))
    assert diagnose("sft", {}, {}, {}, flat) == ()
    assert diagnose("reward", {"loss": "hinge"}, {}, {}, flat) == ()
    assert diagnose("dpo", DPO, {}, {}, flat[:5]) == ()
    assert [each.name for each in diagnose("dpo", {}, {"settings": DPO}, {}, flat)] == ["stuck"]


@pytest.mark.parametrize("norm", [0.0, 1e-9])
def test_a_gradient_that_is_gone(norm: float):
    assert names(curve(gradient_norm=(norm, norm))) == ["no_gradient"]
    assert names(curve(gradient_norm=(1.0, norm))) == []


@pytest.mark.parametrize("name", ["loss", "gradient_norm"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_measurement_that_is_no_number(name: str, value: float | None):
    metrics = curve()
    metrics[17] = metrics[17] | {name: value}
    (finding,) = diagnose("dpo", DPO, {}, {}, metrics)
    assert finding.name == "not_finite"
    assert "17" in finding.words


def test_answers_that_explode():
    assert names(after={"answer_tokens": 90.0}) == ["longer"]
    assert names(after={"answers_unended": 0.6}) == ["unended"]
    assert names(before={"answer_tokens": 3.0}, after={"answer_tokens": 7.0}) == []


def test_everything_is_cut():
    cut = {"responses": 400, "responses_cut": 390, "prompts": 200, "groups_dropped": 0}
    (finding,) = diagnose("sft", {}, {"truncation": cut}, {}, [])
    assert (finding.name, finding.is_grave) == ("truncated", True)
    assert "97.5" in finding.words
    some = diagnose("sft", {}, {"truncation": cut | {"responses_cut": 60}}, {}, [])
    assert [each.is_grave for each in some] == [False]
    assert names(truncation={"responses": 4, "prompts": 2, "groups_dropped": 8}) == ["dropped"]


def test_held_out_accuracy_falls_while_the_training_loss_falls():
    worse = {"accuracy": 0.4, "intervals": {"accuracy": [0.34, 0.47]}}
    assert names(after=worse) == ["accuracy_fell", "by_heart"]
    assert "accuracy_fell" not in names(curve(loss=(0.6, 0.8)), after=worse)
    assert "accuracy_fell" not in names(after=worse | {"intervals": {"accuracy": [0.3, 0.51]}})


def test_it_knows_the_training_pairs_by_heart():
    assert names(curve(accuracy=(0.5, 1.1))) == ["by_heart"]


def test_it_is_surer_than_it_is_right():
    assert names(after={"log_loss": 0.9}) == ["overconfident"]


def test_log_ratios_run_away():
    assert names(curve(largest_log_ratio=(0.0, 20.0))) == ["log_ratios"]
    assert names(curve(largest_log_ratio=(0.0, 9.0))) == []


def test_it_was_right_before_it_began():
    known = {"accuracy": 1.0, "intervals": {"accuracy": [0.98, 1.0]}}
    assert names(before={"accuracy": 1.0}, after=known) == ["already_right"]
    assert names(before={"accuracy": 1.0, "pairs": 5}, after=known) == []


def test_what_cannot_be_told_from_chance_and_what_was_not_tested():
    chance = {"accuracy": 0.6, "intervals": {"accuracy": [0.45, 0.74]}}
    assert names(after=chance) == ["chance"]
    assert names(after=chance, method="sft") == []
    assert [each.name for each in diagnose("dpo", DPO, {}, {"after": {"pairs": 0}}, [])] == ["no_pairs"]


def test_the_gravest_comes_first():
    found = names(curve(accuracy=(0.5, 1.1), largest_log_ratio=(0.0, 20.0)))
    assert found == ["log_ratios", "by_heart"]
    assert len(LOOKS) == 6
