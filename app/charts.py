"""Curves as SVG: from points to lines, axes and ticks. Pure; the template only writes out what stands here.

Coordinates are those of a drawing of `WIDTH` × `HEIGHT` units with y pointing down. The drawing is small and is scaled up
on a desk, so that its words can still be read on a phone. Colours are classes, since pages allow no inline styles.

The faint line is what each step measured, or of a long run the least and the most of each share of its steps. The strong one
follows it smoothed, s_t = w s_{t−1} + (1 − w) x_t with the bias towards the start divided out (as Adam does), because a
step looks at few groups and jumps. Short curves need none. Values that are not finite (a loss that diverged) leave a gap, and
on a logarithmic axis so do values that are not above 0.

Every chart also carries its numbers: `hover` for the pointer, `rows` as a table for those who do not see it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.pages import decimal, number

WIDTH, HEIGHT = 420, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24
SMOOTH_FROM = 30
"""Curves of fewer points than this are drawn as they are."""
WEIGHT = 0.9
ROWS = 20
"""About so many rows make a chart's table."""

Point = tuple[float, float]
Range = tuple[float, float]
Hover = tuple[float, float, str, str]
"""A place in the drawing, and what stands there in words: the step and the value."""
Row = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it stands, in units of the drawing, and its words."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement: its newest value as the strong line has it, polylines in drawing units as SVG's `points` wants them, and where it ends.

    `look` is its place among the curves that were given, drawn or not, so that a curve looks the same in every chart of a page.
    """

    name: str
    look: int
    last: float
    strong: tuple[str, ...]
    faint: tuple[str, ...]
    end: Point
    hover: tuple[Hover, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """`rows` are some of its numbers: the words of a step, and one value for each line, "" where there is none."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """Its left upper corner and its size, in units of the drawing, and its words."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram. `limit` is where a line stands, if it stands within the drawing."""

    title: str
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    limit: float | None


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a point stands in the drawing."""

    x: Range
    y: Range
    is_log: bool = False

    def __call__(self, point: Point) -> Point:
        low, high, y = map(math.log10, (*self.y, point[1])) if self.is_log else (*self.y, point[1])
        across = (point[0] - self.x[0]) / (self.x[1] - self.x[0])
        down = (high - y) / (high - low)
        return round(LEFT + across * (WIDTH - LEFT - RIGHT), 1), round(TOP + down * (HEIGHT - TOP - BOTTOM), 1)


def draw(
    title: str,
    curves: Mapping[str, Sequence[Point]],
    *,
    around: Mapping[str, Sequence[Point]] | None = None,
    at_least: Sequence[float] = (),
    marks: Mapping[float, str] | None = None,
    weight: float = WEIGHT,
    is_log: bool = False,
) -> Chart | None:
    """A chart of these curves over steps; None when there is nothing to draw.

    `around` are the extremes that a curve's points are means of, drawn as its faint line. `at_least` are values that the
    vertical axis must include; `marks` are the labels of the horizontal one, where they are not the numbers of steps; `weight` 0
    draws long curves unsmoothed.
    """
    looks = {name: place for place, name in enumerate(curves, 1)}
    curves = {name: _drawable(curve, is_log=is_log) for name, curve in curves.items()}
    curves = {name: curve for name, curve in curves.items() if any(math.isfinite(y) for _, y in curve)}
    if not curves:
        return None
    faint = {name: _drawable((around or {}).get(name, ()), is_log=is_log) for name in curves}
    points = [point for curve in (*curves.values(), *faint.values()) for point in curve if math.isfinite(point[1])]
    steps, values = _spread([x for x, _ in points]), _spread([*at_least, *(y for _, y in points)])
    levels = powers(*values) if is_log else ticks(*values, n=4)
    scale = _Scale(steps, (levels[0], levels[-1]), is_log)
    if marks is None:
        marks = {x: _words(x) for x in ticks(*steps, n=4) if steps[0] <= x <= steps[1] and x.is_integer()}
    lines = tuple(_line(name, looks[name], curves[name], faint[name], scale, weight) for name in curves)
    return Chart(
        title,
        lines,
        tuple(Tick(scale((x, levels[0]))[0], words) for x, words in marks.items()),
        tuple(Tick(scale((steps[0], y))[1], _words(y)) for y in levels),
        _rows(curves),
    )


def bars(title: str, counts: Sequence[int], width: float, *, limit: float | None = None) -> Bars:
    """A histogram whose bins are all `width` wide, the first beginning at 0; `limit` is a value that is marked."""
    end = len(counts) * width
    levels = [level for level in ticks(0.0, float(max(1, *counts)), n=4) if level.is_integer()]
    scale = _Scale((0.0, end), (0.0, levels[-1]))
    drawn = []
    for place, count in enumerate(counts):
        (left, top), (right, bottom) = scale((place * width, count)), scale(((place + 1) * width, 0.0))
        words = f"{_words(place * width)}–{_words((place + 1) * width - 1)}: {_words(count)}"
        drawn.append(Bar(left, top, max(0.5, round(right - left - 1, 1)), round(bottom - top, 1), words))
    return Bars(
        title,
        tuple(drawn),
        tuple(Tick(scale((x, 0.0))[0], _words(x)) for x in ticks(0.0, end, n=4) if x <= end),
        tuple(Tick(scale((0.0, level))[1], _words(level)) for level in levels),
        scale((limit, 0.0))[0] if limit is not None and limit <= end else None,
    )


def _drawable(curve: Sequence[Point], *, is_log: bool) -> list[Point]:
    return [(float(x), float(y) if not is_log or y > 0 else math.nan) for x, y in curve]


def _line(name: str, look: int, curve: Sequence[Point], faint: Sequence[Point], scale: _Scale, weight: float) -> Line:
    finite = [point for point in curve if math.isfinite(point[1])]
    is_smooth = weight > 0 and len(finite) >= SMOOTH_FROM
    followed = list(smooth(finite, weight)) if is_smooth else finite
    return Line(
        name=name,
        look=look,
        last=followed[-1][1],
        strong=(_points(followed, scale),) if is_smooth else tuple(_unbroken(curve, scale)),
        faint=tuple(_unbroken(faint or curve, scale)) if faint or is_smooth else (),
        end=scale(followed[-1]),
        hover=tuple((*scale(point), number(point[0]), _words(point[1])) for point in followed),
    )


def _rows(curves: Mapping[str, Sequence[Point]]) -> tuple[Row, ...]:
    """Steps evenly spread over the chart, with the first and the last, as they were measured."""
    by_step = [dict(curve) for curve in curves.values()]
    steps = sorted({step for values in by_step for step in values})
    stride = max(1, -(-(len(steps) - 1) // ROWS))
    shown = steps[:-1:stride] + steps[-1:]
    return tuple((number(step), tuple(_told(values.get(step)) for values in by_step)) for step in shown)


def _told(value: float | None) -> str:
    return _words(value) if value is not None and math.isfinite(value) else ""


def _unbroken(curve: Sequence[Point], scale: _Scale) -> Iterable[str]:
    """The pieces of a curve between its gaps."""
    for is_finite, piece in groupby(curve, key=lambda point: math.isfinite(point[1])):
        if is_finite:
            yield _points(piece, scale)


def _points(piece: Iterable[Point], scale: _Scale) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in map(scale, piece))


def smooth(curve: Sequence[Point], weight: float = WEIGHT) -> Iterable[Point]:
    """An exponential moving average; begins with the first value itself."""
    total = left = 0.0
    for x, y in curve:
        total = weight * total + (1 - weight) * y
        left = weight * left + (1 - weight)
        yield x, total / left


def ticks(low: float, high: float, *, n: int) -> list[float]:
    """About n + 1 round values that enclose [low, high]: multiples of 1, 2 or 5 times a power of ten. low < high."""
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / size + 1e-9), math.ceil(high / size - 1e-9)
    return [float(f"{place * size:.12g}") for place in range(first, max(last, first + 1) + 1)]


def powers(low: float, high: float) -> list[float]:
    """Values that enclose [low, high] on a logarithmic axis: 1, 2 and 5 times a power of ten, or powers alone. 0 < low < high."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    fine = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in (1, 2, 5)]
    begin = max(place for place, value in enumerate(fine) if value <= low * (1 + 1e-9))
    end = min(place for place, value in enumerate(fine) if value >= high * (1 - 1e-9) and place > begin)
    if end - begin < 7:
        return fine[begin : end + 1]
    stride = -(-(last - first) // 6)
    return [float(f"1e{power}") for power in range(first, last + stride, stride)]


def _spread(values: Sequence[float]) -> Range:
    """The least and the largest; apart from each other even when all are the same."""
    low, high = min(values), max(values)
    largest = max(abs(low), abs(high))
    if high - low > max(1e-9 * largest, 1e-12):
        return low, high
    return low, low + (0.1 * largest if largest > 1e-9 else 1.0)


def _words(value: float) -> str:
    """Short enough for an axis: 0.25, 1,500, 2e-05."""
    return number(value) if float(value).is_integer() and abs(value) < 1e6 else decimal(f"{value:.4g}")
