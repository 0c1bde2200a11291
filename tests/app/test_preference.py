"""The tuples of a weak order."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from app.preference import dense, has_order, tuples

orders = st.dictionaries(st.text(max_size=3), st.integers(1, 10), max_size=8)


def test_a_tie_in_the_middle_makes_five_tuples():
    assert list(tuples({"r1": 1, "r2": 2, "r3": 2, "r4": 3})) == [
        ("r1", "r2"),
        ("r1", "r3"),
        ("r1", "r4"),
        ("r2", "r4"),
        ("r3", "r4"),
    ]


def test_ties_make_no_tuple():
    assert list(tuples({"a": 1, "b": 1, "c": 1})) == []


@given(orders)
def test_every_pair_is_a_tuple_once_or_a_tie(tiers: dict[str, int]):
    found = list(tuples(tiers))
    ties = sum(tiers[a] == tiers[b] for a, b in combinations(tiers, 2))
    assert len(found) == len(set(found)) == len(tiers) * (len(tiers) - 1) // 2 - ties
    assert all(tiers[chosen] < tiers[rejected] for chosen, rejected in found)


@given(orders)
def test_dense_tiers_are_the_same_order_without_gaps(tiers: dict[str, int]):
    closed = dense(tiers)
    assert set(closed.values()) == set(range(1, len(set(tiers.values())) + 1))
    assert set(tuples(closed)) == set(tuples(tiers))


def test_an_order_needs_two_different_tiers():
    assert has_order([1, None, 2])
    assert not has_order([1, None, 1])
    assert not has_order([None, 1])
    assert not has_order([])
