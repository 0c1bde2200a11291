"""Which side of a dataset a prompt is on."""

import hashlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.split import Candidate, by_metadata, by_prompt
from app.errors import BadInput


def candidate(number: int, value: object = None) -> Candidate:
    return Candidate(hashlib.sha256(str(number).encode()).digest(), value, f"Question {number}?")


def sides(numbers: Iterable[int], *, test: float, seed: int = 0) -> dict[int, str]:
    split = by_prompt([candidate(number) for number in numbers], test=test, seed=seed)
    return {number: split.side(candidate(number)) for number in numbers}


def test_it_gives_the_share_that_was_asked_for():
    placed = sides(range(5000), test=0.2)
    assert 0.18 < list(placed.values()).count("test") / 5000 < 0.22


def test_it_never_moves_a_prompt_when_others_arrive():
    few, many = sides(range(100), test=0.3), sides(range(1000), test=0.3)
    assert all(many[number] == side for number, side in few.items())


def test_it_draws_another_split_from_another_seed():
    assert sides(range(200), test=0.5, seed=0) != sides(range(200), test=0.5, seed=1)


def test_it_draws_the_same_split_on_every_machine():
    placed = sides(range(20), test=0.25)
    assert [number for number, side in placed.items() if side == "test"] == [6, 9, 16, 18]


@given(st.integers(2, 12), st.floats(0.001, 0.999), st.integers(0, 1000))
def test_it_keeps_a_prompt_on_each_side(n: int, test: float, seed: int):
    assert set(sides(range(n), test=test, seed=seed).values()) == {"train", "test"}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.floats(0, 0.999), st.integers(0, 99))
def test_it_counts_each_prompt_once(numbers: list[int], test: float, seed: int):
    split = by_prompt([candidate(number) for number in sorted(numbers)], test=test, seed=seed)
    placed = [split.side(candidate(number)) for number in set(numbers)]
    assert split.prompts == {"train": placed.count("train"), "test": placed.count("test")}


def test_it_trains_on_the_only_prompt():
    assert sides([7], test=0.999) == {7: "train"}


def test_it_makes_no_test_side_when_none_is_wanted():
    assert set(sides(range(50), test=0).values()) == {"train"}


def test_it_follows_what_the_records_say():
    said = [candidate(1, "train"), candidate(2, "test"), candidate(2, "test")]
    split = by_metadata(said, field="metadata.split")
    assert [split.side(one) for one in said] == ["train", "test", "test"]
    assert split.prompts == {"train": 1, "test": 1}
    assert split.moved == {}


def test_it_holds_a_prompt_out_when_its_records_disagree():
    said = [candidate(1, "train"), candidate(1, "test"), candidate(1, "train"), candidate(2, "train")]
    split = by_metadata(said, field="metadata.split")
    assert [split.side(one) for one in said] == ["test", "test", "test", "train"]
    assert split.moved == {candidate(1).prompt_hash: 2}


@pytest.mark.parametrize("value", ["validation", "Train", 1, True, ["train"], {"a": 1}])
def test_it_names_a_record_that_says_something_else(value: object):
    with pytest.raises(BadInput, match=r"Question 3\?.*metadata\.split.*“train” or “test”") as caught:
        by_metadata([candidate(3, value)], field="metadata.split")
    assert caught.value.field == "split"


def test_it_names_a_record_that_says_nothing():
    with pytest.raises(BadInput, match=r"Question 3\?” has no “metadata\.part”"):
        by_metadata([candidate(3)], field="metadata.part")
