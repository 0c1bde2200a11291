"""Intervals hold what they promise, also where pairs of one prompt go together."""

import math
import random

import pytest

from app.intervals import FEWEST, mean_interval, share_interval, standard_error, student, wilson

# Student's table, 97.5 %.
TABLE = {3: 3.182, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}


@pytest.mark.parametrize("degrees", TABLE)
def test_the_quantile_is_that_of_the_table(degrees: int):
    assert student(degrees) == pytest.approx(TABLE[degrees], rel=0.008)


def test_with_a_prompt_for_each_value_the_error_is_the_usual_one():
    values = [1.0, 4.0, 2.0, 2.0, 6.0]
    mean = sum(values) / 5
    usual = math.sqrt(sum((value - mean) ** 2 for value in values) / 4 / 5)
    assert standard_error([(value - mean) / 5 for value in values], range(5)) == pytest.approx(usual)


def test_copies_of_a_prompts_pairs_add_nothing():
    values, prompts = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0], list("abcdef")
    assert share_interval(values * 5, prompts * 5) == pytest.approx(share_interval(values, prompts))
    assert mean_interval(values * 5, prompts * 5) == pytest.approx(mean_interval(values, prompts))


def test_wilsons_interval_is_the_textbooks():
    assert wilson(0.5, 10, 1.959964) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0.0, 20, 1.959964) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_all_right_on_few_prompts_is_not_certain():
    low, high = share_interval([1.0] * 60, [place % 10 for place in range(60)]) or (0, 0)
    assert 0.6 < low < 0.75
    assert high == 1.0


def test_too_few_prompts_have_no_interval():
    prompts = list(range(FEWEST - 1)) * 20
    assert share_interval([1.0, 0.0] * (len(prompts) // 2), prompts) is None
    assert mean_interval([1.0] * len(prompts), prompts) is None
    assert mean_interval([], []) is None
    assert share_interval([], []) is None


def test_they_cover_the_truth_nineteen_times_in_twenty_and_unclustered_ones_do_not():
    """40 prompts with 6 pairs each; how hard a prompt is differs, so its pairs are right or wrong together."""
    draw, truth, rounds = random.Random(0), 0.7, 300
    prompts = [prompt for prompt in range(40) for _ in range(6)]
    covered = {"clustered": 0, "alone": 0, "mean": 0}
    for _ in range(rounds):
        ease = [draw.betavariate(0.7, 0.3) for _ in range(40)]
        right = [float(draw.random() < ease[prompt]) for prompt in prompts]
        for name, interval in (
            ("clustered", share_interval(right, prompts)),
            ("alone", share_interval(right, range(len(right)))),
            ("mean", mean_interval(right, prompts)),
        ):
            assert interval is not None
            covered[name] += interval[0] <= truth <= interval[1]
    assert 0.92 <= covered["clustered"] / rounds <= 0.985
    assert 0.92 <= covered["mean"] / rounds <= 0.985
    assert covered["alone"] / rounds < 0.8
