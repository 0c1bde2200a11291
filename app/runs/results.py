"""What a run measured before and after, as rows of a table. Pure.

The names and their meaning are those of the trainer's evaluation; a name that is not known here is shown as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.language import gettext as _
from app.pages import ngettext, number, percent
from app.runs.breakdown import Reliability, Sample, Source, between, reliability, samples, sources

SHARES = frozenset(
    {"accuracy", "right_answers", "length_controlled", "accuracy_longer", "accuracy_shorter", "answers_unended"}
)
COUNTS = ("groups", "pairs", "questions")
BESIDE = frozenset({*COUNTS, "prompts", "pairs_longer", "pairs_shorter", "rankings"})
"""Counts that stand in no row of their own."""


@dataclass(frozen=True, slots=True)
class Change:
    """One measure in words, its help, and its values before and after as people read them; "" when not measured.

    `from_to` are both values of a share, to be drawn on a scale from 0 to 1, `spread` the 95 % interval of the one after;
    `before_spread` and `after_spread` are the intervals in words.
    """

    title: str
    help: str
    before: str
    after: str
    from_to: tuple[float, float] | None
    spread: tuple[float, float] | None = None
    before_spread: str = ""
    after_spread: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """`counts` says on how much it was measured: "60 groups, 55 pairs"."""

    changes: tuple[Change, ...]
    counts: str
    reliability: Reliability | None = None
    sources: tuple[Source, ...] = ()
    samples: tuple[Sample, ...] = ()


def results_in_words(results: Mapping[str, Any]) -> Results:
    """{"before": {name: value, …}, "after": {…}} in the order of importance."""
    before, after = _part(results, "before"), _part(results, "after")
    counts = {**before, **after}
    flat = {name for name, value in counts.items() if not isinstance(value, Mapping | list)}
    names = sorted(flat - BESIDE, key=lambda name: (_rank(name), name))
    return Results(
        tuple(_change(name, before, after) for name in names),
        ", ".join(_counted(name, counts[name]) for name in COUNTS if counts.get(name)),
        reliability(after),
        sources(before, after),
        samples(before, after),
    )


def _change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    values = before.get(name), after.get(name)
    is_share = name in SHARES and all(isinstance(value, int | float) for value in values)
    title, help_ = _words().get(name, (name.replace("_", " ").capitalize(), ""))
    spreads = [_part(side, "intervals").get(name) for side in (before, after)]
    return Change(
        title,
        help_,
        _shown(name, values[0]),
        _shown(name, values[1]),
        (float(values[0] or 0), float(values[1] or 0)) if is_share else None,
        (spreads[1][0], spreads[1][1]) if is_share and spreads[1] else None,
        *(_spread(name, spread) for spread in spreads),
    )


def _spread(name: str, interval: Any) -> str:
    if not interval or interval[0] == interval[1]:
        return ""
    if name in SHARES:
        return between(interval)
    return _("%(low)s to %(high)s", low=number(interval[0]), high=number(interval[1]))


def _part(results: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = results.get(name)
    return part if isinstance(part, Mapping) else {}


def _words() -> dict[str, tuple[str, str]]:
    return {
        "right_answers": (_("Right answers"), _("share of held-out prompts that it answers exactly right")),
        "accuracy": (_("Accuracy"), _("share of held-out pairs in which the better response scores higher")),
        "length_controlled": (
            _("Accuracy, length controlled"),
            _("as if the longer response were the better one as often as not"),
        ),
        "accuracy_longer": (_("Accuracy, longer is better"), _("on pairs whose better response is the longer one")),
        "accuracy_shorter": (_("Accuracy, shorter is better"), _("on pairs whose better response is the shorter one")),
        "kendall_tau": (_("Kendall’s τ-b"), _("agreement with rankings of more than two, from −1 to 1")),
        "margin": (_("Margin"), _("mean lead of the better response’s score")),
        "best_logp": (_("Best responses"), _("mean log-probability of the best responses, nats")),
        "log_loss": (_("Loss per pair"), _("nats; 0.693 is a model without an opinion")),
        "brier": (_("Brier score"), _("squared error of its probabilities; 0.25 is a model without an opinion")),
        "ece": (_("Calibration error"), _("mean distance between how sure it is and how often it is right")),
        "answer_tokens": (_("Length of answers"), _("mean tokens of the most likely answers")),
        "answers_unended": (_("Answers without an end"), _("share that used up their room")),
        "loss": (_("Loss"), _("on the test split")),
    }


def measure_in_words(name: str) -> str:
    return _words()[name][0]


def _counted(name: str, n: int) -> str:
    if name == "groups":
        return ngettext("%(n)s group", "%(n)s groups", n, n=number(n))
    if name == "pairs":
        return ngettext("%(n)s ordered pair", "%(n)s ordered pairs", n, n=number(n))
    return ngettext("%(n)s question answered", "%(n)s questions answered", n, n=number(n))


def _rank(name: str) -> int:
    known = list(_words())
    return known.index(name) if name in known else len(known)


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return percent(value) if name in SHARES else number(value)


def facts_in_words(facts: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """What a trainer noted about its run, whatever it is. In the order of the names: JSON in Postgres keeps no other."""
    return [(name.replace("_", " ").capitalize(), _fact(value)) for name, value in sorted(facts.items())]


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_fact(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact(one) for one in value)
    return "–" if value is None else str(value)
