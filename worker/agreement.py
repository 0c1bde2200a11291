"""How well scores agree with the order that people gave: accuracy in its several forms, margin, rank correlation. Pure.

    accuracy            share of ordered pairs whose better response has the higher score; equal scores count half
    margin              mean over these pairs of the score's lead, in units of score
    length_controlled   accuracy where the longer response is the better one as often as not
    accuracy_longer     accuracy on the pairs whose better response is the longer one; accuracy_shorter on the others
    kendall_tau         mean over groups of more than two of Kendall's τ-b between scores and tiers

**Length control.** People prefer longer responses more often than not, so a score that knows nothing but length is right
more often than not. What is asked is what Dubois et al. 2024 (arXiv:2404.04475, length-controlled AlpacaEval) ask: how would
it be were the lengths equal? They fit a logistic regression of the outcome on the model and the difference of lengths, and set
the difference to 0. Here the outcome would be "is right", and a score that goes by length alone separates it perfectly: the
fit then has no finite answer, and the ridge that gives it one decides the figure. So the pairs are weighted instead (inverse
probability of their direction): those whose better response is longer (share right p⁺) and those whose better one is
shorter (p⁻) count the same, those of equal length (share e of the pairs, p⁰) keep their weight:

    length_controlled = e p⁰ + (1 − e) (p⁺ + p⁻)/2

Length alone then gives exactly ½, whatever rises or falls with it; a score that does not see length keeps its accuracy
up to chance. It is not given where all pairs point in one direction. Left out: control for anything but the direction, and
for what goes along with length (detail, lists) and may well be what people liked.

**Rankings.** τ-b = (C − D)/√((n − t)(n − u)) over the n = K(K − 1)/2 pairs of a group, with C pairs ordered alike, D
ordered unlike, t tied in the tiers, u tied in the scores (Kendall 1945, Biometrika 33, 239–251). Scores that are all equal
are no opinion: 0, as their accuracy is ½. Groups whose tiers are all equal have no order and are left out.

**Sources.** Accuracy apart for each `source` of the records' metadata, and for each model that wrote responses: there a pair
counts once for each of its writers. The largest `SOURCES` of both.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from app.intervals import Interval, mean_interval, share_interval, share_interval_of
from worker.objectives.ranking import TIE

SOURCES = 12

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """A held-out group with the score of each judged response, all tuples aligned. ``lengths`` are characters.

    ``prompt`` is whatever tells prompts apart. ``writers`` are the models that wrote the responses, ``source`` where the
    record says it is from; None where nobody said. Empty tuples say that nothing is known.
    """

    prompt: Hashable
    scores: tuple[float, ...]
    tiers: tuple[int, ...]
    lengths: tuple[int, ...] = ()
    writers: tuple[str | None, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A better response against a worse one. ``lead`` of the better one's score, ``longer`` by so many characters."""

    lead: float
    prompt: Hashable
    longer: int | None
    writers: frozenset[str]
    source: str | None

    @property
    def right(self) -> float:
        """1 if the better response leads, ½ if the scores are equal, else 0."""
        return 0.5 if abs(self.lead) <= TIE else float(self.lead > 0)


def pairs_of(groups: Sequence[Scored]) -> list[Pair]:
    """Every better response against every worse one of its group."""
    return [
        Pair(
            group.scores[better] - group.scores[worse],
            group.prompt,
            group.lengths[better] - group.lengths[worse] if group.lengths else None,
            frozenset(name for place in (better, worse) if group.writers and (name := group.writers[place])),
            group.source,
        )
        for group in groups
        for better, worse in _ordered(group.tiers)
    ]


def _ordered(tiers: Sequence[int]) -> Iterator[tuple[int, int]]:
    for better, mine in enumerate(tiers):
        for worse, other in enumerate(tiers):
            if mine < other:
                yield better, worse


def order_figures(groups: Sequence[Scored]) -> Figures:
    """All of the above as one JSON object, with ``intervals`` by name. Without any pair there are only the counts."""
    pairs = pairs_of(groups)
    figures: Figures = {"groups": len(groups), "prompts": len({group.prompt for group in groups}), "pairs": len(pairs)}
    if not pairs:
        return figures
    right, prompts = [pair.right for pair in pairs], [pair.prompt for pair in pairs]
    leads = [pair.lead for pair in pairs]
    intervals = {"accuracy": share_interval(right, prompts), "margin": mean_interval(leads, prompts)}
    figures |= {"accuracy": math.fsum(right) / len(pairs), "margin": math.fsum(leads) / len(pairs)}
    for part in (length_figures(pairs), rank_figures(groups)):
        intervals |= part.pop("intervals", {})
        figures |= part
    figures["intervals"] = {name: interval for name, interval in intervals.items() if interval is not None}
    if sources := source_figures(pairs):
        figures["sources"] = sources
    return figures


def length_figures(pairs: Sequence[Pair]) -> Figures:
    """Accuracy by the direction of the difference in length, and with both directions alike. Nothing where one is missing."""
    directions = [_sign(pair.longer) for pair in pairs if pair.longer is not None]
    counts = {direction: directions.count(direction) for direction in (1, -1, 0)}
    if len(directions) < len(pairs) or not counts[1] or not counts[-1]:
        return {}
    right = dict.fromkeys(counts, 0.0)
    for pair, direction in zip(pairs, directions, strict=True):
        right[direction] += pair.right
    accuracy = {direction: right[direction] / counts[direction] for direction in counts if counts[direction]}
    equal = counts[0] / len(pairs)
    weight = {1: (1 - equal) / 2, -1: (1 - equal) / 2, 0: equal}
    controlled = sum(weight[direction] * accuracy[direction] for direction in accuracy)
    errors = [
        weight[direction] * (pair.right - accuracy[direction]) / counts[direction]
        for pair, direction in zip(pairs, directions, strict=True)
    ]
    interval = share_interval_of(controlled, errors, [pair.prompt for pair in pairs])
    return {
        "length_controlled": controlled,
        "accuracy_longer": accuracy[1],
        "accuracy_shorter": accuracy[-1],
        "pairs_longer": counts[1],
        "pairs_shorter": counts[-1],
        "intervals": {"length_controlled": interval},
    }


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def rank_figures(groups: Sequence[Scored]) -> Figures:
    """Mean τ-b over the groups of more than two that have an order, with their number; nothing where there are none."""
    found = [(tau, group.prompt) for group in groups if len(group.tiers) > 2 and (tau := kendall(group)) is not None]
    if not found:
        return {}
    taus, prompts = zip(*found, strict=True)
    interval = mean_interval(taus, prompts)
    within: Interval | None = interval and (max(-1.0, interval[0]), min(1.0, interval[1]))
    return {"kendall_tau": math.fsum(taus) / len(taus), "rankings": len(taus), "intervals": {"kendall_tau": within}}


def kendall(group: Scored) -> float | None:
    """τ-b between the scores and the order of the tiers, from −1 to 1; None where all tiers are equal."""
    alike = told = scored = 0
    for one, other in combinations(range(len(group.tiers)), 2):
        order = _sign(group.tiers[other] - group.tiers[one])
        lead = group.scores[one] - group.scores[other]
        opinion = 0 if abs(lead) <= TIE else int(math.copysign(1, lead))
        alike, told, scored = alike + order * opinion, told + abs(order), scored + abs(opinion)
    if not told:
        return None
    return alike / math.sqrt(told * scored) if scored else 0.0


def source_figures(pairs: Sequence[Pair]) -> list[Figures]:
    """Accuracy of the largest sources and of the largest models, as rows with their interval. One alone says nothing new."""
    by_source: dict[str, list[Pair]] = defaultdict(list)
    by_writer: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.source is not None:
            by_source[pair.source].append(pair)
        for writer in pair.writers:
            by_writer[writer].append(pair)
    rows = []
    for kind, found in (("source", by_source), ("model", by_writer)):
        largest = sorted(found, key=lambda name: (-len(found[name]), name))[:SOURCES]
        rows += [_row(kind, name, found[name]) for name in largest if len(largest) > 1]
    return rows


def _row(kind: str, name: str, pairs: Sequence[Pair]) -> Figures:
    right = [pair.right for pair in pairs]
    interval = share_interval(right, [pair.prompt for pair in pairs])
    accuracy = math.fsum(right) / len(right)
    return {"kind": kind, "name": name, "accuracy": accuracy, "interval": interval, "pairs": len(right)}
