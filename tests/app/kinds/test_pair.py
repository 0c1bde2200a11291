"""Choosing between two."""

from uuid import uuid4

import pytest

from app.errors import BadJudgment
from app.kinds import Asked, Verdict, pair

A, B = uuid4(), uuid4()
ALL = Asked(dimensions=("honest", "kind"))


def test_the_chosen_response_is_the_better_one():
    verdict = pair.read({"choice": f"{B} 2", "comment": " so it is\r\nindeed "}, [A, B], ALL)
    assert verdict == Verdict("ranked", {A: 2, B: 1}, 2, "so it is\nindeed")


@pytest.mark.parametrize("outcome", ["tie", "all_bad", "skip"])
def test_other_outcomes_have_no_strength(outcome: str):
    verdict = pair.read({"choice": outcome, "comment": "why"}, [A, B], ALL)
    assert verdict == Verdict(outcome, comment="why")


def test_no_strength_given_is_none():
    assert pair.read({"choice": str(A)}, [A, B], ALL).strength is None


@pytest.mark.parametrize("strength", ["0", "4", "²", "-1", "1.5", "9" * 5000, "two"])
def test_a_strength_is_1_to_3(strength: str):
    with pytest.raises(BadJudgment):
        pair.check(pair.read({"choice": f"{A} {strength}"}, [A, B], ALL), [A, B], ALL)


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
        Verdict("tie", skip_reason="harmful"),
        Verdict("skip", skip_reason="x" * 1_001),
        Verdict("skip", skip_reason="\0"),
        Verdict("tie", dimensions={"brave": {A: 1, B: 1}}),
        Verdict("tie", dimensions={"kind": {A: 1}}),
        Verdict("tie", dimensions={"kind": {}}),
        Verdict("skip", dimensions={"kind": {A: 1, B: 2}}),
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
        pair.check(Verdict("tie"), [A, B], Asked(("ranked",)))


def test_each_dimension_is_answered_for_itself():
    form = {"choice": str(A), "dimension.honest": str(B), "dimension.kind": "tie"}
    verdict = pair.check(pair.read(form, [A, B], ALL), [A, B], ALL)
    assert verdict.tiers == {A: 1, B: 2}
    assert verdict.dimensions == {"honest": {A: 2, B: 1}, "kind": {A: 1, B: 1}}


def test_a_dimension_may_be_left_open_and_is_then_not_stored():
    form = {"choice": "tie", "dimension.honest": "", "dimension.kind": str(A)}
    assert pair.read(form, [A, B], ALL).dimensions == {"kind": {A: 1, B: 2}}


def test_a_dimension_that_the_project_has_not_is_named():
    with pytest.raises(BadJudgment, match="“brave”; there is “honest”, “kind”"):
        pair.check(Verdict("tie", dimensions={"brave": {A: 1, B: 2}}), [A, B], ALL)


def test_an_answer_that_is_none_names_its_field():
    with pytest.raises(BadJudgment) as refusal:
        pair.read({"choice": "tie", "dimension.kind": "banana"}, [A, B], ALL)
    assert refusal.value.field == "dimension.kind"
