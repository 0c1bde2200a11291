"""Probabilities that are planted are found to be right, and those that are too sure to be too sure."""

import math
import random
from dataclasses import dataclass

import pytest

from worker.agreement import Scored, pairs_of
from worker.calibration import BINS, Link, calibration_figures, link_of
from worker.methods import METHODS, find_method, read_settings

LOGISTIC, PROBIT = Link("logistic"), Link("probit")


def planted(n: int, link: Link, sureness: float = 1.0) -> list[Scored]:
    """Leads of all sizes; the response ahead is the better one as often as the link says, scores are stretched afterwards."""
    draw = random.Random(0)
    found = []
    for number in range(n):
        lead = draw.uniform(0, 4)
        is_right = draw.random() < link.probability(lead)
        found.append(Scored(number, (sureness * (lead if is_right else -lead), 0.0), (1, 2)))
    return found


@pytest.mark.parametrize("link", [LOGISTIC, PROBIT], ids=["logistic", "probit"])
def test_a_model_that_knows_what_it_knows_lies_on_the_diagonal(link: Link):
    figures = calibration_figures(pairs_of(planted(6000, link)), link)
    assert figures["ece"] < 0.03
    for row in figures["reliability"]:
        assert row["right"] == pytest.approx(row["confidence"], abs=4 * math.sqrt(0.25 / row["pairs"]))
    assert sum(row["pairs"] for row in figures["reliability"]) == 6000
    assert len(figures["reliability"]) == BINS


def test_a_model_that_is_three_times_too_sure_is_found_out():
    right = calibration_figures(pairs_of(planted(3000, LOGISTIC)), LOGISTIC)
    too_sure = calibration_figures(pairs_of(planted(3000, LOGISTIC, sureness=3.0)), LOGISTIC)
    assert too_sure["ece"] > 0.08 > right["ece"]
    assert too_sure["log_loss"] > right["log_loss"]
    assert too_sure["brier"] > right["brier"]
    assert all(row["right"] < row["confidence"] for row in too_sure["reliability"] if row["confidence"] > 0.9)


def test_it_is_what_is_counted_by_hand():
    leads = [0.0, 2.0, -2.0, 2.0]
    figures = calibration_figures(pairs_of([Scored(0, (lead, 0.0), (1, 2)) for lead in leads]), LOGISTIC)
    p = 1 / (1 + math.exp(-2.0))
    assert figures["brier"] == pytest.approx((0.25 + 2 * (1 - p) ** 2 + p**2) / 4)
    assert figures["log_loss"] == pytest.approx(-(math.log(0.5) + 2 * math.log(p) + math.log(1 - p)) / 4)
    assert figures["ece"] == pytest.approx(3 / 4 * abs(2 / 3 - p))
    assert [(row["pairs"], row["right"]) for row in figures["reliability"]] == [(1, 0.5), (3, pytest.approx(2 / 3))]


def test_no_opinion_costs_ln_2_and_is_never_too_sure():
    figures = calibration_figures(pairs_of([Scored(0, (1.0, 1.0), (1, 2))]), LOGISTIC)
    assert figures["log_loss"] == pytest.approx(math.log(2))
    assert (figures["brier"], figures["ece"]) == (0.25, 0.0)


@pytest.mark.parametrize("link", [LOGISTIC, PROBIT], ids=["logistic", "probit"])
def test_it_stays_finite_however_far_scores_are_apart(link: Link):
    figures = calibration_figures(pairs_of([Scored(0, (lead, 0.0), (1, 2)) for lead in (-1e4, 1e4)]), link)
    assert math.isfinite(figures["log_loss"])
    assert figures["reliability"][-1]["pairs"] == 2
    assert len(figures["reliability"]) <= BINS


def test_without_pairs_there_is_nothing_to_say():
    assert calibration_figures([], LOGISTIC) == {}


@dataclass(frozen=True)
class Order:
    method: str
    settings: dict[str, object]


@pytest.mark.parametrize(
    ("order", "link"),
    [
        (Order("reward", {}), Link("logistic")),
        (Order("reward", {"loss": "probit"}), Link("probit")),
        (Order("reward", {"loss": "hinge"}), None),
        (Order("dpo", {"beta": 0.3}), Link("logistic", 0.3)),
        (Order("dpo", {"beta": 2.0, "tokens": "mean", "loss": "plackett_luce"}), Link("logistic", 2.0, per_token=True)),
        (Order("dpo", {"loss": "squared"}), None),
        (Order("dpo", {"reference": "none"}), None),
        (Order("grpo_offline", {}), Link("logistic", 0.1)),
        (Order("grpo_offline", {"weights": "rank"}), None),
        (Order("sft", {}), None),
    ],
    ids=str,
)
def test_a_run_is_held_to_the_probabilities_that_its_own_loss_promises(order: Order, link: Link | None):
    assert link_of(read_settings(find_method(order.method), order.settings)) == link


def test_every_method_has_an_answer():
    for method in METHODS:
        link_of(read_settings(method, {}))
