"""How sure a figure is: 95 % intervals for figures over pairs that come from fewer prompts.

Pairs of one prompt are not independent: a model that misreads a prompt gets several of its pairs wrong at once, and a ranking
of eight gives 28 pairs that share eight responses. Counted as if they were independent they would promise far too much. So
the error is that of a sample of prompts (Miller 2024, arXiv:2411.00640, on clustered standard errors; Liang & Zeger 1986,
Biometrika 73, 13–22): with u_i what pair i adds to the error of the figure, e.g. (y_i − ȳ)/n for a mean,

    SE² = C/(C − 1) · Σ_c (Σ_{i in prompt c} u_i)²          C prompts

This sandwich was chosen over a bootstrap over prompts because it needs no draws (the same figure always has the same interval),
costs one pass, and can be checked by hand; for means the two agree as C grows. Quantiles are Student's with C − 1 degrees.

A share near 0 or 1 has a lopsided error, and none at all once every pair is right. Its interval is therefore Wilson's (1927) for
the number of independent pairs that would be as uncertain, n_eff = p(1 − p)/SE², at most n (Franco, Little, Louis & Slud
2019, J. Survey Stat. Methodol. 7, 334–364, compare such intervals). Where nothing varies, each prompt counts as one observation.

Below `FEWEST` prompts there is no interval: what differs between prompts cannot be told from so few.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import NormalDist

Interval = tuple[float, float]

FEWEST = 4
_Z = NormalDist().inv_cdf(0.975)


def mean_interval(values: Sequence[float], prompts: Sequence[Hashable]) -> Interval | None:
    """The mean of the values ± Student's quantile times its clustered error; ``prompts`` says which prompt each is from."""
    n_prompts = len(set(prompts))
    if n_prompts < FEWEST:
        return None
    mean = math.fsum(values) / len(values)
    half = student(n_prompts - 1) * standard_error([(value - mean) / len(values) for value in values], prompts)
    return mean - half, mean + half


def share_interval(values: Sequence[float], prompts: Sequence[Hashable]) -> Interval | None:
    """The interval of a mean of values between 0 and 1, within 0 and 1."""
    mean = math.fsum(values) / max(1, len(values))
    return share_interval_of(mean, [(value - mean) / len(values) for value in values], prompts)


def share_interval_of(share: float, errors: Sequence[float], prompts: Sequence[Hashable]) -> Interval | None:
    """The same for any share that is a smooth function of means: ``errors`` holds what each pair adds to its error."""
    n_prompts = len(set(prompts))
    if n_prompts < FEWEST:
        return None
    variance = standard_error(errors, prompts) ** 2
    n = min(len(errors), share * (1 - share) / variance) if variance > 0 else n_prompts
    return wilson(share, max(1.0, n), student(n_prompts - 1))


def standard_error(errors: Sequence[float], prompts: Sequence[Hashable]) -> float:
    """Root of C/(C − 1) times the sum over prompts of their squared summed errors. At least two prompts."""
    totals: dict[Hashable, float] = defaultdict(float)
    for error, prompt in zip(errors, prompts, strict=True):
        totals[prompt] += error
    n = len(totals)
    return math.sqrt(n / (n - 1) * math.fsum(total * total for total in totals.values()))


def wilson(share: float, n: float, quantile: float) -> Interval:
    """The shares p for which |share − p| ≤ quantile · √(p(1 − p)/n) (Wilson 1927, JASA 22, 209–212)."""
    scaled = quantile * quantile / n
    middle = (share + scaled / 2) / (1 + scaled)
    half = math.sqrt(share * (1 - share) * scaled + scaled * scaled / 4) / (1 + scaled)
    return max(0.0, middle - half), min(1.0, middle + half)


def student(degrees: int) -> float:
    """The 97.5 % quantile of Student's distribution with at least 3 degrees of freedom.

    The expansion about the normal quantile (Abramowitz & Stegun 26.7.5): 0.7 % too small at 3 degrees, 0.1 % at 5.
    """
    z, v = _Z, degrees
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3
