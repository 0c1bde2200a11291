"""The group, its weak order, its tuples: pure, shared by the web application and the worker.

A group is a prompt x with responses a_1 … a_K. A judgment puts a weak order on it: a tier for each judged response
(1 is best, equal tiers are a tie, no tier means not judged). A pair is a group of two. The tuples (x, a⁺, a⁻) follow
from the tiers: every response in a better tier against every response in a worse one. Ties make no tuple.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")


def tuples(tiers: Mapping[Key, int]) -> Iterator[tuple[Key, Key]]:
    """Every (a⁺, a⁻) of a weak order, best tier first; within a tier in the order of the mapping.

    Tiers 1, 2, 2, 3 give five tuples. The number of tuples is at most K(K−1)/2.
    """
    ordered = sorted(tiers, key=lambda key: tiers[key])
    for place, better in enumerate(ordered):
        for worse in ordered[place + 1 :]:
            if tiers[better] < tiers[worse]:
                yield better, worse


def has_order(tiers: Sequence[int | None]) -> bool:
    """Whether at least two responses were judged and not all of them tie."""
    judged = {tier for tier in tiers if tier is not None}
    return len(judged) > 1


def dense(tiers: Mapping[Key, int]) -> dict[Key, int]:
    """The same weak order with tiers 1, 2, 3 … without gaps, so that equal orders are equal mappings."""
    rank = {tier: place for place, tier in enumerate(sorted(set(tiers.values())), start=1)}
    return {key: rank[tier] for key, tier in tiers.items()}
