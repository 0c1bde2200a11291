"""A judgment in words, as it is shown back to whoever made it."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.judgments.queries import Last
from app.language import gettext as _

# What responses are called on the page, in the order they are shown. Twelve are the most that any kind shows.
LABELS = "ABCDEFGHIJKL"
SHOWN_OF_COMMENT = 80


def skip_reasons() -> dict[str, str]:
    """The ready reasons of `kinds.form.SKIP_REASONS` in words."""
    return {
        "not_my_field": _("Not my field"),
        "cannot_tell": _("I cannot tell which is better"),
        "unreadable": _("Broken or unreadable"),
        "harmful": _("Harmful or upsetting"),
    }


def said(last: Last) -> str:
    """All that was stored, so that what is on the screen is what is in the database."""
    if last.withdrawn:
        return _("Taken back. Here it is again.")
    if last.outcome == "skip" and last.skip_reason:
        reason = skip_reasons().get(last.skip_reason, last.skip_reason)
        words = _("Skipped: %s.") % _shortened(reason)
    elif last.outcome == "skip":
        words = _("Skipped.")
    else:
        words = _("Saved: %s.") % answer(last.outcome, last.tiers, last.shown, last.strength)
    parts = [words, *(f"{name}: {_dimension(tiers, last.shown)}." for name, tiers in last.dimensions.items())]
    if last.comment:
        parts.append(_("Comment: “%s”") % _shortened(last.comment))
    return " ".join(parts)


def answer(outcome: str, tiers: Mapping[str, Any], shown: Sequence[str], strength: int | None = None) -> str:
    """What was decided, without what was said besides."""
    if outcome == "skip":
        return _("skipped")
    if outcome == "all_bad":
        return _("both bad") if len(shown) == 2 else _("all bad")
    if outcome == "tie":
        return _("equally good")
    if len(shown) != 2:
        return _standing(tiers, shown)
    better = {1: _("%s is slightly better"), 2: _("%s is clearly better"), 3: _("%s is much better")}
    return better.get(strength or 0, _("%s is better")) % in_order(tiers, shown)[0]


def in_order(tiers: Mapping[str, int], shown: Sequence[str]) -> list[str]:
    """The labels of each tier, best first; those of one tier joined by `=`."""
    label = dict(zip(shown, LABELS, strict=False))
    return [" = ".join(label[key] for key in shown if tiers.get(key) == tier) for tier in sorted(set(tiers.values()))]


def _dimension(tiers: Mapping[str, int], shown: Sequence[str]) -> str:
    if len(set(tiers.values())) == 1:
        return _("equal")
    return in_order(tiers, shown)[0] if len(shown) == 2 else _standing(tiers, shown)


def _standing(tiers: Mapping[str, int], shown: Sequence[str]) -> str:
    return _(", then ").join(in_order(tiers, shown))


def _shortened(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= SHOWN_OF_COMMENT else line[: SHOWN_OF_COMMENT - 1] + "…"
