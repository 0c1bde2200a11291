"""Which of a run's measurements are drawn together, and in which order. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.charts import Chart, Point, draw
from app.language import gettext as _

# The measurements of the main charts, and values that their axis always holds.
MAIN: dict[str, tuple[float, ...]] = {"loss": (), "accuracy": (0.0, 1.0)}
PREFIXES = ("", "test_", "eval_")


@dataclass(frozen=True, slots=True)
class Drawn:
    """`main` is what everybody looks at; `more` is everything else that was measured."""

    main: tuple[Chart, ...]
    more: tuple[Chart, ...]


def charts(metrics: Sequence[Mapping[str, Any]]) -> Drawn:
    """Charts of [{step, name: value, …}, …]; a measurement of the test split is drawn into the chart of its name."""
    curves: dict[str, list[Point]] = {}
    for row in metrics:
        for name, value in row.items():
            if (name != "step" and isinstance(value, int | float)) or value is None:
                curves.setdefault(name, []).append((float(row["step"]), math.nan if value is None else float(value)))
    subjects = dict.fromkeys([*MAIN, *(_subject(name) for name in curves)])
    drawn = {one: draw(_title(one), _together(one, curves), at_least=MAIN.get(one, ())) for one in subjects}
    main = [chart for one, chart in drawn.items() if chart is not None and one in MAIN]
    more = [chart for one, chart in drawn.items() if chart is not None and one not in MAIN]
    return Drawn(tuple(main), tuple(more))


def _subject(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if prefix and name.startswith(prefix)), name)


def _together(subject: str, curves: Mapping[str, list[Point]]) -> dict[str, list[Point]]:
    return {prefix + subject: curves[prefix + subject] for prefix in PREFIXES if prefix + subject in curves}


def _title(subject: str) -> str:
    words = {"loss": _("Loss"), "accuracy": _("Accuracy"), "margin": _("Margin"), "learning_rate": _("Learning rate")}
    return words.get(subject, subject.replace("_", " ").capitalize())
