"""How much better one run did than another on the same held-out prompts, with a 95 % interval. Pure.

Two accuracies with an interval each say little about their difference: both models meet the same hard prompts, so most of what
moves one moves the other. Paired by prompt that common part falls away. With a_c and b_c the sums of both runs on prompt c (its
right pairs, say) and n_c their common count, the difference is Σ(a_c − b_c)/Σn_c, and its error that of a sample of prompts
(`app/intervals.py`), since the pairs of one prompt are not independent.

Prompts that only one of them was measured on, or on which the number of pairs differs, are left out and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.intervals import FEWEST, Interval, standard_error, student

ByPrompt = Mapping[str, Sequence[float]]
"""A prompt's name, and its sum and count."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`mean` is the lead of the first, `pairs` and `prompts` on how much, `left_out` how many prompts could not be paired."""

    mean: float
    interval: Interval | None
    pairs: int
    prompts: int
    left_out: int


def difference(one: ByPrompt, other: ByPrompt) -> Difference | None:
    """None where nothing was measured in both."""
    shared = [prompt for prompt in one if prompt in other and one[prompt][1] == other[prompt][1] > 0]
    if not shared:
        return None
    pairs = sum(one[prompt][1] for prompt in shared)
    leads = [one[prompt][0] - other[prompt][0] for prompt in shared]
    mean = sum(leads) / pairs
    interval = None
    if len(shared) >= FEWEST:
        errors = [(lead - mean * one[prompt][1]) / pairs for lead, prompt in zip(leads, shared, strict=True)]
        half = student(len(shared) - 1) * standard_error(errors, shared)
        interval = (max(-1.0, mean - half), min(1.0, mean + half))
    return Difference(mean, interval, int(pairs), len(shared), len({*one, *other}) - len(shared))
