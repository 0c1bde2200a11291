"""A judgment in words, as it is shown back to whoever made it."""

from collections.abc import Mapping, Sequence

from app.judgments.queries import Last
from app.pages import gettext as _

# What responses are called on the page, in the order they are shown. Twelve are the most that any kind shows.
LABELS = "ABCDEFGHIJKL"


def said(last: Last) -> str:
    if last.withdrawn:
        return _("Taken back. Here it is again.")
    if last.outcome == "skip":
        return _("Skipped.")
    if last.outcome == "all_bad":
        return _("Saved: both bad.") if len(last.shown) == 2 else _("Saved: all bad.")
    if last.outcome == "tie":
        return _("Saved: equally good.")
    if len(last.shown) == 2:
        return _("Saved: %s is better.") % in_order(last.tiers, last.shown)[0]
    return _("Saved: %s.") % _(", then ").join(in_order(last.tiers, last.shown))


def in_order(tiers: Mapping[str, int], shown: Sequence[str]) -> list[str]:
    """The labels of each tier, best first; those of one tier joined by `=`."""
    label = dict(zip(shown, LABELS, strict=False))
    return [" = ".join(label[key] for key in shown if tiers.get(key) == tier) for tier in sorted(set(tiers.values()))]
