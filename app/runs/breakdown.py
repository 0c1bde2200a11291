"""What stands behind a run's results: reliability, accuracy by source, answers before and after. Pure.

The rows are the trainer's (`worker/agreement.py`, `calibration.py`, `answers.py`); what has not their shape is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.charts import Chart, draw
from app.pages import decimal, number, percent
from app.pages import gettext as _

Json = Mapping[str, Any]
MARKS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Reliability:
    """`rows` are the chart as a table: how sure, how often right, on how many pairs."""

    chart: Chart
    rows: tuple[tuple[str, str, str], ...]
    n_pairs: str


@dataclass(frozen=True, slots=True)
class Source:
    """`kind` is "source" or "model"; accuracies with their interval as people read them, "" where there is none."""

    kind: str
    name: str
    before: str
    after: str
    interval: str
    n_pairs: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The same prompt answered before and after. Marks are None where nobody knows what is right."""

    prompt: str
    before: str
    after: str
    answer: str | None
    was_right: bool | None
    is_right: bool | None


def between(interval: Any) -> str:
    """An interval of shares, as short as a phone needs it: "72.1–83.0%"."""
    if not isinstance(interval, Sequence) or len(interval) != 2:
        return ""
    return f"{decimal(f'{100 * interval[0]:.1f}')}–{percent(interval[1])}"


def reliability(after: Json) -> Reliability | None:
    """Share right over how sure the model was, beside the line where both are the same."""
    rows = _rows(after, "reliability", ("confidence", "right", "pairs"))
    curves = {
        _("this model"): [(row["confidence"], row["right"]) for row in rows],
        _("as sure as right"): [(0.5, 0.5), (1.0, 1.0)],
    }
    marks = {share: decimal(f"{share:.1f}") for share in MARKS}
    drawn = draw(_("Share right, by how sure it is"), curves, at_least=(0.0, 1.0), marks=marks, weight=0)
    if not rows or drawn is None:
        return None
    told = tuple((percent(row["confidence"]), percent(row["right"]), number(row["pairs"])) for row in rows)
    return Reliability(drawn, told, number(sum(row["pairs"] for row in rows)))


def sources(before: Json, after: Json) -> tuple[Source, ...]:
    """The sources and models of the test split, in the trainer's order: the largest first."""
    needed = ("kind", "name", "accuracy", "pairs")
    earlier = {(row["kind"], row["name"]): percent(row["accuracy"]) for row in _rows(before, "sources", needed)}
    return tuple(
        Source(
            kind=row["kind"],
            name=row["name"],
            before=earlier.get((row["kind"], row["name"]), ""),
            after=percent(row["accuracy"]),
            interval=between(row.get("interval")),
            n_pairs=number(row["pairs"]),
        )
        for row in _rows(after, "sources", needed)
    )


def samples(before: Json, after: Json) -> tuple[Sample, ...]:
    """Prompts that were answered both times."""
    earlier = {row["prompt"]: row for row in _rows(before, "samples", ("prompt", "text"))}
    return tuple(
        Sample(
            prompt=row["prompt"],
            before=earlier[row["prompt"]]["text"],
            after=row["text"],
            answer=row.get("answer"),
            was_right=earlier[row["prompt"]].get("right"),
            is_right=row.get("right"),
        )
        for row in _rows(after, "samples", ("prompt", "text"))
        if row["prompt"] in earlier
    )


def _rows(part: Json, name: str, needed: Sequence[str]) -> list[Json]:
    found = part.get(name)
    if not isinstance(found, list):
        return []
    return [row for row in found if isinstance(row, Mapping) and all(row.get(key) is not None for key in needed)]
