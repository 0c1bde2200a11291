"""Histograms of token lengths."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.batches import EncodedGroup
from worker.lengths import BINS, bin_width, histogram, histograms


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=50))
def test_every_length_is_in_one_of_few_bins(lengths: list[int]):
    found = histogram(lengths)
    assert sum(found["counts"]) == len(lengths)
    assert len(found["counts"]) <= BINS
    first = found["counts"][0]
    assert first == sum(length < found["width"] for length in lengths)
    assert found["longest"] == max(lengths)


@pytest.mark.parametrize(("longest", "width"), [(0, 1), (23, 1), (24, 2), (48, 5), (119, 5), (120, 10), (512, 50)])
def test_bins_are_as_wide_as_a_round_number(longest: int, width: int):
    assert bin_width(longest) == width


def test_half_of_them_are_no_longer_than_the_median():
    assert histogram([1, 2, 3, 4])["median"] == 2
    assert histogram([7])["p95"] == 7
    assert histogram(list(range(1, 101)))["p95"] == 95


def test_a_group_counts_its_prompt_once_each_response_and_the_longest_of_them(groups: list[EncodedGroup]):
    found: dict[str, Any] = histograms(groups)
    assert sum(found["prompt"]["counts"]) == len(groups)
    assert sum(found["response"]["counts"]) == sum(len(group.responses) for group in groups)
    assert found["together"]["longest"] == max(group.longest() for group in groups)
