"""The model card's figures."""

from worker.publish import is_number, shown

FIGURES = {"accuracy": 0.78125, "intervals": {"accuracy": [0.7, 0.84567]}, "brier": 0.2, "samples": [{"text": "12"}]}


def test_a_figure_comes_with_its_interval_where_it_has_one():
    assert shown(FIGURES, "accuracy") == "0.7812 (0.7 to 0.8457)"
    assert shown(FIGURES, "brier") == "0.2"
    assert shown(FIGURES, "kendall_tau") == "–"


def test_only_numbers_stand_in_the_table():
    assert [name for name in FIGURES if is_number(FIGURES[name])] == ["accuracy", "brier"]
