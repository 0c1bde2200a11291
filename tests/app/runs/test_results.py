"""What a run measured, in words."""

from app.runs.results import facts_in_words, results_in_words

BEFORE = {"accuracy": 0.5, "margin": 0.0, "groups": 60, "pairs": 55}
AFTER = {"accuracy": 0.875, "margin": 1.25, "groups": 60, "pairs": 55, "right_answers": 0.5, "questions": 1200}


def test_it_tells_what_matters_most_first():
    found = results_in_words({"before": BEFORE, "after": AFTER})
    assert [change.title for change in found.changes] == ["Right answers", "Accuracy", "Margin"]
    assert found.counts == "60 groups, 55 ordered pairs, 1,200 questions answered"


def test_it_shows_shares_as_percentages_that_can_be_drawn():
    accuracy = results_in_words({"before": BEFORE, "after": AFTER}).changes[1]
    assert (accuracy.before, accuracy.after) == ("50.0%", "87.5%")
    assert accuracy.from_to == (0.5, 0.875)


def test_it_leaves_open_what_was_not_measured():
    right = results_in_words({"before": BEFORE, "after": AFTER}).changes[0]
    assert (right.before, right.after, right.from_to) == ("", "50.0%", None)
    margin = results_in_words({"before": BEFORE, "after": AFTER}).changes[2]
    assert (margin.before, margin.after, margin.from_to) == ("0", "1.25", None)


def test_it_shows_what_it_does_not_know_as_it_is():
    found = results_in_words({"after": {"odd_figure": "seven", "accuracy": None}})
    assert [(change.title, change.after) for change in found.changes] == [("Accuracy", ""), ("Odd figure", "seven")]


def test_it_bears_results_of_any_shape():
    for odd in ({}, {"before": None}, {"after": [1, 2]}, {"other": {}}):
        assert results_in_words(odd).changes == ()


def test_it_tells_facts_in_the_order_of_their_names():
    facts = {
        "seeds": [1, 2],
        "device": "cpu",
        "cut_responses": 1234,
        "shared": True,
        "own": {"a": 1, "b": False},
        "x": None,
    }
    assert facts_in_words(facts) == [
        ("Cut responses", "1,234"),
        ("Device", "cpu"),
        ("Own", "a 1, b no"),
        ("Seeds", "1, 2"),
        ("Shared", "yes"),
        ("X", "–"),
    ]


def test_it_tells_the_interval_of_each_value():
    before = BEFORE | {"intervals": {"margin": [-0.5, 0.5]}}
    after = AFTER | {"intervals": {"accuracy": [0.8, 0.925], "margin": [1.0, 1.5]}, "length_controlled": 0.75}
    found = {change.title: change for change in results_in_words({"before": before, "after": after}).changes}
    assert (found["Accuracy"].spread, found["Accuracy"].after_spread) == ((0.8, 0.925), "80.0–92.5%")
    assert (found["Margin"].before_spread, found["Margin"].after_spread) == ("-0.5 to 0.5", "1 to 1.5")
    assert found["Margin"].spread is None
    assert found["Accuracy, length controlled"].after == "75.0%"


def test_what_stands_behind_a_figure_is_no_row():
    after = AFTER | {"samples": [], "sources": [], "reliability": [], "prompts": 60, "pairs_longer": 3, "rankings": 2}
    assert len(results_in_words({"after": after}).changes) == 3
