"""What a run measured before and after, as rows of a table. Pure.

The names and their meaning are those of the trainer's evaluation; a name that is not known here is shown as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.pages import gettext as _
from app.pages import ngettext, number, percent

SHARES = frozenset({"accuracy", "right_answers"})
COUNTS = ("groups", "pairs", "questions")


@dataclass(frozen=True, slots=True)
class Change:
    """One measure in words, its help, and its values before and after as people read them; "" when not measured.

    `from_to` are both values of a share, to be drawn on a scale from 0 to 1.
    """

    title: str
    help: str
    before: str
    after: str
    from_to: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Results:
    """`counts` says on how much it was measured: "60 groups, 55 pairs"."""

    changes: tuple[Change, ...]
    counts: str


def results_in_words(results: Mapping[str, Any]) -> Results:
    """{"before": {name: value, …}, "after": {…}} in the order of importance."""
    before, after = _part(results, "before"), _part(results, "after")
    counts = {**before, **after}
    flat = {name for name, value in counts.items() if not isinstance(value, Mapping | list)}
    names = sorted(flat - set(COUNTS), key=lambda name: (_rank(name), name))
    return Results(
        tuple(_change(name, before.get(name), after.get(name)) for name in names),
        ", ".join(_counted(name, counts[name]) for name in COUNTS if counts.get(name)),
    )


def _change(name: str, before: Any, after: Any) -> Change:
    is_share = name in SHARES and isinstance(before, int | float) and isinstance(after, int | float)
    title, help_ = _words().get(name, (name.replace("_", " ").capitalize(), ""))
    return Change(title, help_, _shown(name, before), _shown(name, after), (before, after) if is_share else None)


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
    }


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
