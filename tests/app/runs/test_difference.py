"""One run against another on the same prompts."""

import math

import pytest

from app.runs.difference import difference


def test_it_pairs_what_both_were_measured_on():
    one = {"a": [2, 2], "b": [1, 2], "c": [3, 4], "d": [1, 1], "only here": [9, 9]}
    other = {"a": [1, 2], "b": [1, 2], "c": [2, 4], "d": [1, 1], "only there": [9, 9]}
    found = difference(one, other)
    assert found is not None
    assert (found.pairs, found.prompts, found.left_out) == (9, 4, 2)
    assert found.mean == pytest.approx(2 / 9)


def test_its_interval_is_that_of_a_sample_of_prompts():
    """By hand: leads 1, 0, 1, 0 on one pair each, mean ½, errors ±⅛; SE² = 4/3 · 4/64; t with 3 degrees is 3.182."""
    one = {"a": [1, 1], "b": [0, 1], "c": [1, 1], "d": [0, 1]}
    found = difference(one, {name: [0, 1] for name in one})
    assert found is not None
    assert found.interval is not None
    half = 3.182 * math.sqrt(4 / 3 * 4 / 64)
    assert found.interval == (pytest.approx(0.5 - half, abs=0.01), pytest.approx(min(1.0, 0.5 + half), abs=0.01))


def test_what_is_common_to_both_falls_away():
    """Both get the same hard prompts wrong: each accuracy is unsure, their difference is not."""
    one = {str(prompt): [float(prompt % 2), 1] for prompt in range(200)}
    found = difference(one, one)
    assert found is not None
    assert (found.mean, found.interval) == (0.0, (0.0, 0.0))


def test_prompts_with_other_pairs_are_not_compared():
    assert difference({"a": [1, 2]}, {"a": [1, 3]}) is None
    assert difference({}, {"a": [1, 3]}) is None


def test_very_few_prompts_have_no_interval():
    found = difference({"a": [1, 1]}, {"a": [0, 1]})
    assert found is not None
    assert (found.mean, found.interval) == (1.0, None)
