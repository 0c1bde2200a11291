"""What can be set about a project: what is usual, what is allowed, and what a change means."""

import math
from dataclasses import replace
from typing import Any

import pytest

from app.errors import BadInput
from app.projects.settings import MOST_DIMENSIONS, ProjectSettings, checked, consequences

USUAL = ProjectSettings(name="Words")


def test_what_is_usual_is_allowed():
    assert checked(USUAL).as_columns() == USUAL.as_columns()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outcomes", ["tie"]),
        ("outcomes", []),
        ("outcomes", ["ranked", "banana"]),
        ("dimensions", ["honest", "Honest"]),
        ("dimensions", ["honest\0"]),
        ("dimensions", ["a\tb"]),
        ("dimensions", ["a\u2028b"]),
        ("dimensions", ["x" * 61]),
        ("dimensions", [f"d{number}" for number in range(MOST_DIMENSIONS + 1)]),
        ("comments", "sometimes"),
        ("comment_min_length", -1),
        ("comment_min_length", 10_001),
        ("item_order", "alphabetical"),
        ("gold_share", 0.51),
        ("gold_share", math.nan),
        ("repeat_share", -0.1),
    ],
)
def test_it_says_which_field_is_wrong(field: str, value: Any):
    with pytest.raises(BadInput) as refusal:
        checked(replace(USUAL, **{field: value}))
    assert refusal.value.field == field


def test_outcomes_are_kept_in_one_order_and_once():
    assert checked(replace(USUAL, outcomes=["skip", "ranked", "tie", "tie"])).outcomes == ["ranked", "tie", "skip"]


def test_dimensions_are_cleaned_and_empty_ones_left_out():
    assert checked(replace(USUAL, dimensions=[" honest ", "", "easy  to read"])).dimensions == [
        "honest",
        "easy  to read",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"judgments_per_item": 3}, "open again"),
        ({"judgments_per_item": 1}, "turns that people have open may be finished"),
        ({"outcomes": ["ranked"]}, "no longer offered"),
        ({"dimensions": ["short"]}, "a dimension that is gone"),
        ({"lease_minutes": 5}, "keep their time"),
        ({"item_order": "priority"}, "next turn"),
        ({"comments": "off"}, "Comments that are written stay"),
    ],
)
def test_it_says_what_a_change_means_for_work_under_way(change: dict[str, Any], words: str):
    before = replace(USUAL, judgments_per_item=2, dimensions=["honest"])
    (said,) = consequences(before, replace(before, **change))
    assert words in said


def test_a_change_of_words_means_nothing_for_work_under_way():
    assert consequences(USUAL, replace(USUAL, name="Other", guidelines="Be kind.", gold_share=0.1)) == []
