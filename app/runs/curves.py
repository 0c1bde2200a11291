"""Which of a run's measurements are drawn together, in which order, and how the reader wants them drawn. Pure.

How they are drawn stands in the page's address, so it is the same after a reload and can be sent to somebody.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from app.charts import Chart, Point, draw
from app.language import gettext as _

# The measurements of the main charts, and values that their axis always holds.
MAIN: dict[str, tuple[float, ...]] = {"loss": (), "accuracy": (0.0, 1.0)}
PREFIXES = ("", "test_", "eval_")
MAIN_NAMES: Final = tuple(prefix + subject for subject in MAIN for prefix in PREFIXES)
WEIGHTS: Final = {"none": 0.0, "some": 0.9, "much": 0.98}


@dataclass(frozen=True, slots=True)
class Look:
    """How curves are drawn: the upright axis, how much they are smoothed, and whether all that was measured is shown."""

    scale: Literal["linear", "log"] = "linear"
    smooth: Literal["none", "some", "much"] = "some"
    curves: Literal["main", "all"] = "main"

    def query(self) -> str:
        """As it stands in an address; what is usual is left out."""
        usual = Look()
        told = {"scale": self.scale, "smooth": self.smooth, "curves": self.curves}
        return urlencode({name: value for name, value in told.items() if value != getattr(usual, name)})

    def choices(self) -> Iterator[tuple[str, str, Sequence[tuple[str, str, bool]]]]:
        """The name and title of each choice, with the words and the address of each answer and whether it holds now."""
        answers = {
            "scale": (_("Scale"), {"linear": _("linear"), "log": _("logarithmic")}),
            "smooth": (_("Smoothing"), {"none": _("none"), "some": _("some"), "much": _("much")}),
            "curves": (_("Curves"), {"main": _("the main ones"), "all": _("all")}),
        }
        for name, (title, words) in answers.items():
            others: dict[str, Any] = {value: {name: value} for value in words}
            told = [
                (replace(self, **others[value]).query(), words[value], value == getattr(self, name)) for value in words
            ]
            yield name, title, told


def look_asked_for(
    scale: Annotated[Literal["linear", "log"], Query()] = "linear",
    smooth: Annotated[Literal["none", "some", "much"], Query()] = "some",
    curves: Annotated[Literal["main", "all"], Query()] = "main",
) -> Look:
    return Look(scale, smooth, curves)


Looking = Annotated[Look, Depends(look_asked_for)]


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement over a share of a run's steps: the last of these steps, mean, least and most. NaN: no numbers."""

    step: int
    mean: float
    low: float
    high: float


Curves = Mapping[str, Sequence[Measured]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """`main` is what everybody looks at; `more` is everything else that was measured."""

    main: tuple[Chart, ...]
    more: tuple[Chart, ...]


def charts(curves: Curves, look: Look | None = None) -> Drawn:
    """Charts of what a run measured; a measurement of the test split is drawn into the chart of its name."""
    look = look or Look()
    subjects = dict.fromkeys([*MAIN, *(subject_of(name) for name in curves)])
    together = {one: {name: curves[name] for name in _names(one) if name in curves} for one in subjects}
    drawn = {one: chart(one, together[one], look) for one in subjects}
    main = [found for one, found in drawn.items() if found is not None and one in MAIN]
    more = [found for one, found in drawn.items() if found is not None and one not in MAIN]
    return Drawn(tuple(main), tuple(more))


def chart(subject: str, curves: Curves, look: Look) -> Chart | None:
    """One chart of curves that measure the same. What can be 0, or is a share, has no axis by powers of ten."""
    numbers = [point.mean for curve in curves.values() for point in curve if math.isfinite(point.mean)]
    return draw(
        title_of(subject),
        {name: [(float(point.step), point.mean) for point in curve] for name, curve in curves.items()},
        around={name: list(_extremes(curve)) for name, curve in curves.items() if _is_coarse(curve)},
        at_least=MAIN.get(subject, ()),
        weight=WEIGHTS[look.smooth],
        is_log=look.scale == "log" and not MAIN.get(subject) and min(numbers, default=0.0) > 0,
    )


def _is_coarse(curve: Sequence[Measured]) -> bool:
    return any(point.low < point.high for point in curve)


def _extremes(curve: Iterable[Measured]) -> Iterator[Point]:
    for point in curve:
        yield float(point.step), point.low
        yield float(point.step), point.high


def subject_of(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if prefix and name.startswith(prefix)), name)


def _names(subject: str) -> list[str]:
    return [prefix + subject for prefix in PREFIXES]


def title_of(subject: str) -> str:
    words = {"loss": _("Loss"), "accuracy": _("Accuracy"), "margin": _("Margin"), "learning_rate": _("Learning rate")}
    return words.get(subject, subject.replace("_", " ").capitalize())
