"""Curves as SVG."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.charts import BOTTOM, HEIGHT, LEFT, RIGHT, SMOOTH_FROM, TOP, WIDTH, draw, smooth, ticks

NUMBERS = st.floats(-1e6, 1e6)


def places(points: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in points.split())]


def test_it_puts_the_first_and_the_last_point_where_they_belong():
    chart = draw("Loss", {"loss": [(0, 1.0), (10, 0.0)]})
    assert chart is not None
    assert places(chart.lines[0].strong[0]) == [(LEFT, TOP), (WIDTH - RIGHT, HEIGHT - BOTTOM)]
    assert chart.lines[0].end == (WIDTH - RIGHT, HEIGHT - BOTTOM)


def test_it_marks_the_axes_with_round_numbers():
    chart = draw("Loss", {"loss": [(0, 0.12), (1500, 0.69)]})
    assert chart is not None
    assert [tick.words for tick in chart.y_ticks] == ["0", "0.2", "0.4", "0.6", "0.8"]
    assert [tick.words for tick in chart.x_ticks] == ["0", "500", "1,000", "1,500"]
    assert chart.x_ticks[0].at == LEFT
    assert chart.y_ticks[0].at == HEIGHT - BOTTOM


def test_it_shows_an_accuracy_on_its_whole_scale():
    chart = draw("Accuracy", {"accuracy": [(0, 0.5), (5, 0.6)]}, at_least=(0.0, 1.0))
    assert chart is not None
    assert [tick.words for tick in chart.y_ticks][:: len(chart.y_ticks) - 1] == ["0", "1"]


def test_it_draws_nothing_of_nothing():
    assert draw("Loss", {"loss": []}) is None
    assert draw("Loss", {"loss": [(1, math.nan)]}) is None


def test_it_leaves_a_gap_where_a_value_is_no_number():
    chart = draw("Loss", {"loss": [(0, 1.0), (1, 0.5), (2, math.nan), (3, 0.2), (4, math.inf)]})
    assert chart is not None
    assert [len(places(piece)) for piece in chart.lines[0].strong] == [2, 1]
    assert chart.lines[0].last == 0.2


def test_it_shows_a_single_step():
    chart = draw("Loss", {"loss": [(0, 0.6931)]})
    assert chart is not None
    assert chart.lines[0].end[0] == LEFT


def test_it_smooths_only_long_curves():
    short = draw("Loss", {"loss": [(x, x % 2) for x in range(SMOOTH_FROM - 1)]})
    long = draw("Loss", {"loss": [(x, x % 2) for x in range(SMOOTH_FROM)]})
    assert short is not None
    assert short.lines[0].faint == ()
    assert long is not None
    assert len(places(long.lines[0].faint[0])) == len(places(long.lines[0].strong[0])) == SMOOTH_FROM


def test_it_smooths_by_hand():
    assert list(smooth([(0, 1.0), (1, 0.0)], weight=0.5)) == [(0, 1.0), (1, pytest.approx(0.25 / 0.75))]
    assert [y for _, y in smooth([(x, 3.0) for x in range(9)])] == pytest.approx([3.0] * 9)


@given(st.lists(st.tuples(st.integers(0, 10**6), NUMBERS), min_size=1, max_size=60, unique_by=lambda point: point[0]))
def test_it_stays_inside_the_drawing(curve: list[tuple[float, float]]):
    chart = draw("Any", {"any": sorted(curve)})
    assert chart is not None
    for piece in (*chart.lines[0].strong, *chart.lines[0].faint):
        for x, y in places(piece):
            assert LEFT - 0.2 <= x <= WIDTH - RIGHT + 0.2
            assert TOP - 0.2 <= y <= HEIGHT - BOTTOM + 0.2


@given(NUMBERS, st.floats(1e-3, 1e6), st.integers(2, 8))
def test_it_encloses_the_values_with_few_ticks(low: float, width: float, n: int):
    found = ticks(low, low + width, n=n)
    assert found[0] <= low + width * 1e-6
    assert found[-1] >= low + width - width * 1e-6
    assert 2 <= len(found) <= n + 3


def test_an_axis_may_be_marked_in_words_and_a_long_curve_left_rough():
    curve = [(float(x), float(x % 2)) for x in range(SMOOTH_FROM + 10)]
    chart = draw("Judgments", {"n": curve}, marks={0.0: "00:00", 20.0: "noon"}, weight=0)
    assert chart is not None
    assert [tick.words for tick in chart.x_ticks] == ["00:00", "noon"]
    assert chart.x_ticks[0].at == LEFT
    assert chart.lines[0].faint == ()
    assert len(places(chart.lines[0].strong[0])) == len(curve)


def test_a_curve_looks_the_same_in_a_chart_that_an_earlier_one_is_not_in():
    drawn = draw("accuracy", {"first": [], "second": [(0.0, 0.5), (1.0, 0.6)], "third": [(0.0, 0.4), (1.0, 0.7)]})
    assert drawn is not None
    assert [(line.name, line.look) for line in drawn.lines] == [("second", 2), ("third", 3)]
