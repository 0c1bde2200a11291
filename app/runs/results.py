"""What a run measured before and after, as rows of a table. Pure.

The names and their meaning are those of the trainer's evaluation; a name that is not known here is shown as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.pages import gettext as _
from app.pages import number, percent

SHARES = frozenset({"accuracy", "right_answers"})
COUNTS = frozenset({"groups", "pairs", "questions"})


@dataclass(frozen=True, slots=True)
class Change:
    """One measure in words, its help, and its values before and after as people read them; "" when not measured."""

    title: str
    help: str
    before: str
    after: str


def changes(results: Mapping[str, Any]) -> list[Change]:
    """The measures of {"before": {…}, "after": {…}} in the order of their importance; counts of what was measured last."""
    before, after = _part(results, "before"), _part(results, "after")
    names = sorted({*before, *after}, key=lambda name: (name in COUNTS, _rank(name), name))
    return [Change(*_told(name), _shown(name, before.get(name)), _shown(name, after.get(name))) for name in names]


def _part(results: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = results.get(name)
    return part if isinstance(part, Mapping) else {}


def _words() -> dict[str, tuple[str, str]]:
    return {
        "right_answers": (_("Right answers"), _("share of held-out prompts that it answers exactly right")),
        "accuracy": (_("Accuracy"), _("share of held-out pairs in which the better response scores higher")),
        "margin": (_("Margin"), _("mean lead of the better response’s score")),
        "best_logp": (_("Best responses"), _("mean log-probability of the best responses, nats")),
        "loss": (_("Loss"), _("on the test split")),
        "groups": (_("Groups"), _("judged groups of the test split that were measured")),
        "pairs": (_("Pairs"), _("ordered pairs in them")),
        "questions": (_("Questions"), _("prompts that were answered")),
    }


def _rank(name: str) -> int:
    known = list(_words())
    return known.index(name) if name in known else len(known)


def _told(name: str) -> tuple[str, str]:
    return _words().get(name, (name.replace("_", " ").capitalize(), ""))


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return percent(value) if name in SHARES else number(value)


def facts_in_words(facts: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """What a trainer noted about its run, whatever it is."""
    return [(name.replace("_", " ").capitalize(), _fact(value)) for name, value in facts.items()]


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact(one) for one in value)
    return "–" if value is None else str(value)
