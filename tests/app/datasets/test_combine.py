"""Several judgments of one item, several items of one prompt."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.combine import majority, rows_of_item, rows_of_prompt
from app.datasets.order import Filters, Order
from app.datasets.row import Row
from tests.app.datasets.test_files import row

BETTER, WORSE, EQUAL = [1, 2], [2, 1], [1, 1]


def said(number: int, tiers: Sequence[int | None], **told: Any) -> Row:
    outcome = "tie" if len(set(tiers)) == 1 else "ranked"
    made: Any = row(1, judgment=number, responses=["r"] * len(tiers), tiers=list(tiers), outcome=outcome) | told
    return made


def judged(*answers: Sequence[int | None]) -> list[Row]:
    return [said(number, tiers) for number, tiers in enumerate(answers)]


def order(combine: str = "each", **told: Any) -> Order:
    return Order.model_validate({"name": "some", "combine": combine, **told})


@pytest.mark.parametrize(
    ("answers", "tiers"),
    [
        ([BETTER], BETTER),
        ([BETTER, BETTER, WORSE], BETTER),
        ([BETTER, WORSE], EQUAL),
        ([BETTER, EQUAL, EQUAL], BETTER),
        ([[1, 2, 3], [1, 2, 3], [3, 1, 2]], [1, 2, 3]),
        ([[1, 2, 3], [2, 3, 1], [3, 1, 2]], [1, 1, 1]),  # each beats one and loses to one
        ([[1, 5, None], [1, 2, None]], [1, 2, None]),
    ],
)
def test_most_judges_decide_about_each_two_responses(answers: list[list[int | None]], tiers: list[int | None]):
    outcome, found = majority(judged(*answers))
    assert found == tiers
    assert outcome == ("tie" if len({tier for tier in tiers if tier}) == 1 else "ranked")


def test_all_are_bad_when_more_than_half_say_so():
    bad = said(8, [None, None], outcome="all_bad"), said(9, [None, None], outcome="all_bad")
    assert majority([said(0, BETTER), *bad]) == ("all_bad", [None, None])
    assert majority([said(0, BETTER), bad[0]]) == ("ranked", BETTER)


@given(st.lists(st.permutations([1, 2, 3, 4]), min_size=1, max_size=7), st.randoms())
def test_it_makes_no_difference_who_judged_first(answers: list[list[int]], chance: Any):
    found = majority(judged(*answers))
    chance.shuffle(answers)
    assert majority(judged(*answers)) == found


def test_a_majority_is_one_row_with_the_margin_of_those_who_agree():
    rows = [said(1, BETTER, margin=3.0), said(2, BETTER, margin=1.0), said(3, WORSE, margin=3.0)]
    (one,) = rows_of_item(rows, order("majority"))
    assert (one["tiers"], one["weight"], one["judgments"], one["margin"]) == (BETTER, 1.0, 3, 2.0)
    assert (one["judgment"], one["annotator"], one["agreement"]) == (1, None, pytest.approx(2 / 3))


def test_a_majority_that_is_a_tie_stays_out_where_ties_do():
    rows = judged(BETTER, WORSE)
    assert rows_of_item(rows, order("majority", filters={"outcomes": ["ranked"]})) == []
    assert len(rows_of_item(rows, order("majority"))) == 1


def test_each_different_answer_weighs_the_share_of_those_who_gave_it():
    rows = judged(BETTER, WORSE, [3, 7], BETTER)
    found = rows_of_item(rows, order("weights"))
    assert [(one["tiers"], one["weight"], one["judgments"]) for one in found] == [(BETTER, 0.75, 3), (WORSE, 0.25, 1)]


@pytest.mark.parametrize("combine", ["each", "majority", "weights"])
def test_every_item_weighs_one_however_many_judged_it(combine: str):
    found = rows_of_item(judged(BETTER, WORSE, BETTER), order(combine))
    assert sum(one["weight"] for one in found) == pytest.approx(1)


def test_the_items_of_a_prompt_share_its_weight_where_that_is_asked():
    items = [judged(BETTER, WORSE), judged(BETTER), judged(BETTER)]
    found = rows_of_prompt(items, order(balance="prompt"))
    assert [one["weight"] for one in found] == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3])
    assert sum(one["weight"] for one in rows_of_prompt(items, order())) == pytest.approx(3)


def test_items_with_too_few_judgments_or_too_little_agreement_stay_out():
    filters = Filters(min_judgments=2, min_agreement=0.6)
    items = [judged(BETTER), judged(BETTER, WORSE), judged(BETTER, BETTER, WORSE)]
    found = rows_of_prompt(items, Order(name="some", filters=filters, balance="prompt"))
    assert len(found) == 3
    assert sum(one["weight"] for one in found) == pytest.approx(1), "those left out share in no weight"
