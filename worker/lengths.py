"""How long the texts of a dataset are in a base model's tokens: as histograms, with what does not fit.

Bins are of equal width in a round number of tokens, at most `BINS`, from 0 to the longest. The end token counts.
"""

from collections.abc import Sequence
from typing import Any

from worker.batches import EncodedGroup

BINS = 24
ROUND = (1, 2, 5)

Json = dict[str, Any]


def histograms(groups: Sequence[EncodedGroup]) -> Json:
    """Of prompts, of responses, and of each prompt with its longest response, which is what ``max_length`` is held against."""
    return {
        "prompt": histogram([len(group.prompt) for group in groups]),
        "response": histogram([len(response) for group in groups for response in group.responses]),
        "together": histogram([group.longest() for group in groups]),
    }


def histogram(lengths: Sequence[int]) -> Json:
    """``counts[i]`` lengths are from ``i * width`` up to, but not including, ``(i + 1) * width``."""
    ordered = sorted(lengths)
    width = bin_width(ordered[-1])
    counts = [0] * (ordered[-1] // width + 1)
    for length in ordered:
        counts[length // width] += 1
    return {
        "width": width,
        "counts": counts,
        "median": quantile(ordered, 0.5),
        "p95": quantile(ordered, 0.95),
        "longest": ordered[-1],
    }


def bin_width(longest: int) -> int:
    """1, 2 or 5 times a power of ten: the least that needs no more than `BINS` bins."""
    power = 1
    while True:
        for factor in ROUND:
            if longest // (factor * power) < BINS:
                return factor * power
        power *= 10


def quantile(ordered: Sequence[int], share: float) -> int:
    """The least length that at least this share of them does not exceed."""
    return ordered[max(0, -(-int(share * len(ordered) * 1000) // 1000) - 1)]
