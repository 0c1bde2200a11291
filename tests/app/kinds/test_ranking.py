"""Putting several in order."""

from uuid import UUID, uuid4

import pytest

from app.errors import BadJudgment
from app.kinds import Asked, Verdict, ranking
from app.preference import tuples

IDS = [uuid4() for _ in range(4)]
ALL = Asked(dimensions=("honest",))


def form(*tiers: object, choice: str = "ranked") -> dict[str, str]:
    return {"choice": choice} | {f"tier.{key}": str(tier) for key, tier in zip(IDS, tiers, strict=False)}


def tiers(*numbers: int) -> dict[UUID, int]:
    return dict(zip(IDS, numbers, strict=True))


def test_it_reads_a_number_for_each_response():
    assert ranking.read(form(2, 1, 2, 3), IDS, ALL) == Verdict("ranked", tiers(2, 1, 2, 3))


def test_tiers_1_2_2_3_make_five_tuples():
    assert len(list(tuples(ranking.check(Verdict("ranked", tiers(1, 2, 2, 3)), IDS, ALL).tiers))) == 5


def test_gaps_are_closed_so_that_equal_orders_are_stored_equal():
    assert ranking.check(Verdict("ranked", tiers(4, 2, 2, 4)), IDS, ALL).tiers == tiers(2, 1, 1, 2)


def test_equal_numbers_are_a_tie():
    assert ranking.read(form(2, 2, 2, 2), IDS, ALL).outcome == "tie"


@pytest.mark.parametrize("choice", ["tie", "all_bad", "skip"])
def test_the_numbers_of_other_outcomes_are_left_alone(choice: str):
    assert ranking.read(form(1, 2, 3, "x", choice=choice), IDS, ALL) == Verdict(choice)


@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 2, 3, ""), (1, 2, 3, "x"), (1, 2, 3, "٣"), (1, 2, 3, -4)])
def test_every_response_needs_a_number(numbers: tuple[object, ...]):
    with pytest.raises(BadJudgment):
        ranking.read(form(*numbers), IDS, ALL)


@pytest.mark.parametrize("numbers", [(1, 2, 3, 5), (0, 1, 2, 3), (1, 1, 1, 1)])
def test_it_refuses_tiers_that_are_no_order(numbers: tuple[int, ...]):
    with pytest.raises(BadJudgment):
        ranking.check(Verdict("ranked", tiers(*numbers)), IDS, ALL)


def test_an_order_among_some_is_not_taken_for_a_full_one():
    with pytest.raises(BadJudgment, match="every response"):
        ranking.check(Verdict("ranked", {IDS[0]: 1, IDS[1]: 2}), IDS, ALL)


def test_a_ranking_has_no_strength():
    with pytest.raises(BadJudgment, match="strength"):
        ranking.check(Verdict("ranked", tiers(1, 2, 3, 4), strength=1), IDS, ALL)


def test_without_ties_every_response_has_a_place_of_its_own():
    strict = Asked(("ranked", "skip"))
    assert ranking.check(Verdict("ranked", tiers(1, 2, 3, 4)), IDS, strict).tiers == tiers(1, 2, 3, 4)
    with pytest.raises(BadJudgment, match="no ties") as refusal:
        ranking.check(Verdict("ranked", tiers(1, 2, 2, 3)), IDS, strict)
    assert refusal.value.field == "tiers"


def test_a_dimension_has_numbers_of_its_own_for_all_or_for_none():
    asked_for = {f"dimension.honest.{key}": str(place) for key, place in zip(IDS, (3, 1, 1, 4), strict=True)}
    said = ranking.check(ranking.read(form(1, 2, 3, 4) | asked_for, IDS, ALL), IDS, ALL)
    assert said.dimensions == {"honest": tiers(2, 1, 1, 3)}
    assert ranking.read(form(1, 2, 3, 4) | dict.fromkeys(asked_for, ""), IDS, ALL).dimensions == {}
    asked_for[f"dimension.honest.{IDS[2]}"] = ""
    with pytest.raises(BadJudgment) as refusal:
        ranking.read(form(1, 2, 3, 4) | asked_for, IDS, ALL)
    assert refusal.value.field == f"dimension.honest.{IDS[2]}"
