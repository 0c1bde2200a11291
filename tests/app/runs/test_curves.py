"""Which measurements are drawn together, and how."""

import math

import pytest

from app.runs.curves import Curves, Look, Measured, charts


def curve(*values: float, every: int = 1) -> list[Measured]:
    return [Measured(place * every, value, value, value) for place, value in enumerate(values)]


def test_it_draws_loss_and_accuracy_first_and_the_rest_apart():
    names = ("grad_norm", "margin", "accuracy", "loss")
    drawn = charts({name: curve(0.5, 0.6, 0.7) for name in names})
    assert [chart.title for chart in drawn.main] == ["Loss", "Accuracy"]
    assert [chart.title for chart in drawn.more] == ["Grad norm", "Margin"]


def test_it_draws_a_measure_of_the_test_split_beside_its_own():
    drawn = charts({"loss": curve(0.7, 0.6), "test_loss": [Measured(1, 0.65, 0.65, 0.65)]})
    assert [[line.name for line in chart.lines] for chart in drawn.main] == [["loss", "test_loss"]]
    assert drawn.more == ()
    assert drawn.main[0].rows == (("0", ("0.7", "")), ("1", ("0.6", "0.65")))


def test_it_leaves_a_gap_for_what_was_no_number():
    drawn = charts({"loss": curve(0.5, math.nan, 0.5, 0.5)})
    assert len(drawn.main[0].lines[0].strong) == 2


def test_it_draws_nothing_before_the_first_step():
    assert charts({}).main == ()


def test_the_extremes_of_a_share_are_drawn_behind_its_mean():
    coarse: Curves = {"loss": [Measured(9, 0.5, 0.2, 0.9), Measured(19, 0.4, 0.1, 0.8)]}
    line = charts(coarse).main[0].lines[0]
    assert [len(piece.split()) for piece in line.faint] == [4]
    assert line.last == pytest.approx(0.4)


def test_an_axis_by_powers_of_ten_spreads_small_values_and_leaves_shares_alone():
    values: Curves = {"loss": curve(1.0, 0.01), "accuracy": curve(0.5, 0.6)}
    loss, accuracy = charts(values, Look(scale="log")).main
    assert [tick.words for tick in loss.y_ticks] == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
    assert accuracy.y_ticks[0].words == "0"


def test_what_falls_below_zero_keeps_its_plain_axis():
    margin = charts({"margin": curve(-0.5, 2.0)}, Look(scale="log")).more[0]
    assert [tick.words for tick in margin.y_ticks] == ["-1", "0", "1", "2"]


def test_smoothing_can_be_turned_off():
    rough = {"loss": curve(*(float(place % 2) for place in range(60)))}
    assert charts(rough, Look(smooth="none")).main[0].lines[0].faint == ()
    assert charts(rough, Look(smooth="much")).main[0].lines[0].last == pytest.approx(0.5, abs=0.02)


def test_an_address_holds_what_is_not_usual():
    assert Look().query() == ""
    assert Look(scale="log", curves="all").query() == "scale=log&curves=all"
