"""Choosing between two."""

from uuid import uuid4

import pytest

from app.errors import BadJudgment
from app.kinds import Verdict, pair

A, B = uuid4(), uuid4()
ALL = ("ranked", "tie", "all_bad", "skip")


def test_the_chosen_response_is_the_better_one():
    verdict = pair.read({"choice": str(B), "strength": "2", "comment": " so it is\r\nindeed "}, [A, B])
    assert verdict == Verdict("ranked", {A: 2, B: 1}, 2, "so it is\nindeed")


@pytest.mark.parametrize("outcome", ["tie", "all_bad", "skip"])
def test_other_outcomes_have_no_strength(outcome: str):
    verdict = pair.read({"choice": outcome, "strength": "2", "comment": "why"}, [A, B])
    assert verdict == Verdict(outcome, comment="why")


def test_no_strength_given_is_none():
    assert pair.read({"choice": str(A), "strength": ""}, [A, B]).strength is None


@pytest.mark.parametrize("strength", ["0", "4", "²", "-1", "1.5", "9" * 5000, "two"])
def test_a_strength_is_1_to_3(strength: str):
    with pytest.raises(BadJudgment):
        pair.check(pair.read({"choice": str(A), "strength": strength}, [A, B]), [A, B], ALL)


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("ranked"),
        Verdict("ranked", {A: 1}),
        Verdict("ranked", {A: 1, B: 1}),
        Verdict("ranked", {A: 1, uuid4(): 2}),
        Verdict("ranked", {A: 1, B: 2, uuid4(): 2}),
        Verdict("ranked", {A: 0, B: 1}),
        Verdict("ranked", {A: 1, B: 3}),
        Verdict("tie", {A: 1, B: 2}),
        Verdict("tie", {A: 1}),
        Verdict("tie", strength=1),
        Verdict("all_bad", {A: 1, B: 1}),
        Verdict("skip", {A: 1, B: 2}),
        Verdict("banana"),
        Verdict("", {}),
        Verdict("tie", comment="\0"),
        Verdict("tie", comment="x" * 10_001),
    ],
    ids=str,
)
def test_it_refuses_what_does_not_fit(verdict: Verdict):
    with pytest.raises(BadJudgment):
        pair.check(verdict, [A, B], ALL)


def test_a_tie_needs_no_tiers_and_is_stored_with_them():
    assert pair.check(Verdict("tie"), [A, B], ALL).tiers == {A: 1, B: 1}
    assert pair.check(Verdict("tie", {A: 2, B: 2}), [A, B], ALL).tiers == {A: 1, B: 1}


def test_only_what_the_project_offers_is_taken():
    with pytest.raises(BadJudgment, match="“ranked”"):
        pair.check(Verdict("tie"), [A, B], ("ranked",))
