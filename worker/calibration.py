"""Whether scores mean the probabilities that their loss takes them for. Pure.

The logistic loss says P(a⁺ ≻ a⁻) = σ(Δs), the probit loss Φ(Δs/√2) (`objectives/ranking.py`); Plackett–Luce for two, and
Davidson given that there is no tie, say σ(Δs) as well. Hinge, squared and score or rank weights promise no probability, so
nothing is measured for them. Scores are in the units of the loss: for a policy β times the log-ratio, summed or per token as
the run has it. A run held against another reference than its start has other scores than those measured here: nothing either.

With p the probability given to the response that people found better (a pair has no first and second, so each is looked at
from its better side, and nothing depends on the order of the responses):

    log_loss        mean −log p, nats: ln 2 for no opinion
    brier           mean (1 − p)², the squared error of the probability (Brier 1950): ¼ for no opinion
    ece             Σ_b n_b/n · |right_b − confidence_b| over bins of the confidence max(p, 1 − p) in [½, 1]
                    (Guo et al. 2017, arXiv:1706.04599, eq. 3). It is positive by chance alone, the more the fewer pairs.
    reliability     per bin: mean confidence, share right and number of pairs; on the diagonal the model knows what it knows

Left out: the mending of what is found (a temperature fitted on held-out pairs changes no order).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from worker.agreement import Figures, Pair
from worker.methods.settings import START

BINS = 10
LEAST = 1e-12
"""Probabilities are held this far from 0 in the logarithm, as far as a finite figure needs it."""
_PROBIT, _LOGISTIC = "probit", "logistic"
_LINKS = {"logistic": _LOGISTIC, "plackett_luce": _LOGISTIC, "davidson": _LOGISTIC, "probit": _PROBIT}
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Link:
    """How a run turns a score into a probability: the score is ``scale`` times what is measured, per token if so."""

    name: str
    scale: float = 1.0
    per_token: bool = False

    def probability(self, lead: float) -> float:
        """P(better) of a lead in units of score."""
        if self.name == _PROBIT:
            return _NORMAL.cdf(lead / math.sqrt(2))
        return 1 / (1 + math.exp(-lead)) if lead > 0 else math.exp(lead) / (1 + math.exp(lead))


def link_of(settings: Any) -> Link | None:
    """The link of a run with these settings; None where its loss promises no probability."""
    name = _LINKS.get(getattr(settings, "loss", ""))
    if name is None or getattr(settings, "weights", "pairwise") != "pairwise":
        return None
    if getattr(settings, "reference", START) != START:
        return None
    return Link(name, getattr(settings, "beta", 1.0), getattr(settings, "tokens", "sum") == "mean")


def calibration_figures(pairs: Sequence[Pair], link: Link) -> Figures:
    """All of the above for pairs whose leads are in units of the loss's score; nothing without pairs."""
    if not pairs:
        return {}
    told = [link.probability(pair.lead) for pair in pairs]
    rows = reliability(told, [pair.right for pair in pairs])
    n = len(pairs)
    return {
        "log_loss": math.fsum(-math.log(max(p, LEAST)) for p in told) / n,
        "brier": math.fsum((1 - p) ** 2 for p in told) / n,
        "ece": math.fsum(row["pairs"] * abs(row["right"] - row["confidence"]) for row in rows) / n,
        "reliability": rows,
    }


def reliability(told: Sequence[float], right: Sequence[float]) -> list[Figures]:
    """The bins that hold pairs, from ½ to 1, ``BINS`` of the same width: {confidence, right, pairs}."""
    sums = [[0.0, 0.0, 0] for _ in range(BINS)]
    for p, is_right in zip(told, right, strict=True):
        confidence = max(p, 1 - p)
        row = sums[min(BINS - 1, int((confidence - 0.5) * 2 * BINS))]
        row[0], row[1], row[2] = row[0] + confidence, row[1] + is_right, row[2] + 1
    return [{"confidence": sure / n, "right": hits / n, "pairs": int(n)} for sure, hits, n in sums if n]
