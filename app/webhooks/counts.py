"""Which counts of judgments a webhook asked for were passed, and when it is worth counting again. Pure."""

from collections.abc import Sequence

IN_FLIGHT = 100
"""Judgments may be stored after others with higher ids: so many at most are thought to be under way at a time."""


def passed(before: int, now: int, counts: Sequence[int], every: int | None) -> list[int]:
    """The counts in (before, now], ascending: each of `counts`, and of the multiples of `every` the highest alone.

    An import of a million judgments passes a thousand multiples at once, and is one piece of news.
    """
    found = {count for count in counts if before < count <= now}
    if every and now // every * every > before:
        found.add(now // every * every)
    return sorted(found)


def following(after: int, counts: Sequence[int], every: int | None) -> int | None:
    """The lowest count above `after` that is to be told; None when there is none."""
    found = [count for count in counts if count > after]
    if every:
        found.append((after // every + 1) * every)
    return min(found, default=None)


def may_be_passed(following: int, judgments: int, newer: int) -> bool:
    """Whether `following` can have been reached since there were `judgments`, with ids that have gone on by `newer` since."""
    return newer > 0 and newer + IN_FLIGHT >= following - judgments
