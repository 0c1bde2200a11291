"""Plackett–Luce against its definition, written out as products of choices."""

import itertools
import math

import pytest

from tests.scored import READINGS, Groups, losses, random_groups
from worker.objectives.evidence import Evidence

SCORES = [0.7, -0.4, 1.9, 0.2]


def probability(scores: list[float], ranking: tuple[int, ...]) -> float:
    """Of this ranking, best place first."""
    strengths = [math.exp(scores[place]) for place in ranking]
    return math.prod(one / sum(strengths[at:]) for at, one in enumerate(strengths))


def tiers_of(ranking: tuple[int, ...]) -> list[int | None]:
    return [ranking.index(place) + 1 for place in range(len(ranking))]


def test_every_ranking_has_its_probability_and_they_sum_to_one():
    rankings = list(itertools.permutations(range(4)))
    found = losses([(SCORES, tiers_of(ranking)) for ranking in rankings], "plackett_luce")
    probabilities = [math.exp(-3 * cost) for cost in found]  # three choices each
    assert probabilities == pytest.approx([probability(SCORES, ranking) for ranking in rankings], rel=1e-12)
    assert sum(probabilities) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("evidence", READINGS.values(), ids=READINGS)
@pytest.mark.parametrize("margin", [0.0, 0.6])
def test_a_group_of_two_is_bradley_terry_however_judgments_are_read(evidence: Evidence, margin: float):
    pairs: Groups = [([0.4, 1.1], [1, 2]), ([0.4, 1.1], [2, 1]), ([0.4, 1.1], [1, 1])]
    expected = losses(pairs, "logistic", evidence, margin)
    assert losses(pairs, "plackett_luce", evidence, margin) == pytest.approx(expected, rel=1e-13)


def test_tied_responses_are_each_chosen_before_what_is_worse():
    """Left out: two choices of the first tier, each among itself and the third response."""
    a, b, c = map(math.exp, [0.7, -0.4, 1.9])
    expected = (math.log((a + c) / a) + math.log((b + c) / b)) / 2
    assert losses([([0.7, -0.4, 1.9], [1, 1, 2])], "plackett_luce") == pytest.approx([expected])


def test_half_a_tie_to_each_side_chooses_among_the_whole_tier():
    """Breslow: the tier's sum stands in the denominator of both."""
    a, b, c = map(math.exp, [0.7, -0.4, 1.9])
    expected = (2 * math.log(a + b + c) - math.log(a) - math.log(b)) / 2
    found = losses([([0.7, -0.4, 1.9], [1, 1, 2])], "plackett_luce", Evidence("half"))
    assert found == pytest.approx([expected])


def test_a_choice_that_may_be_wrong_is_spread_over_the_tail():
    """The first of three choices by hand: the one said with 1 − ε, each of the other two with ε/2."""
    flip, strengths = 0.3, [math.exp(score) for score in SCORES[:3]]
    costs = [math.log(sum(strengths) / one) for one in strengths]
    first = (1 - flip) * costs[0] + flip / 2 * (costs[1] + costs[2])
    second = [math.log(sum(strengths[1:]) / one) for one in strengths[1:]]
    expected = (first + (1 - flip) * second[0] + flip * second[1]) / 2
    found = losses([(SCORES[:3], [1, 2, 3])], "plackett_luce", Evidence(smoothing=flip))
    assert found == pytest.approx([expected])


def test_the_robust_loss_is_the_clean_one_on_average_over_wrong_choices():
    """One choice among three: right with 1 − ε, each of the others with ε/2."""
    flip, evidence = 0.3, Evidence(smoothing=0.3, robust=True)
    said = [losses([(SCORES[:3], tiers)], "plackett_luce", evidence)[0] for tiers in ([1, 2, 2], [2, 1, 2], [2, 2, 1])]
    clean = losses([(SCORES[:3], [1, 2, 2])], "plackett_luce")[0]
    assert (1 - flip) * said[0] + flip / 2 * (said[1] + said[2]) == pytest.approx(clean, rel=1e-12)


def test_a_margin_is_asked_of_every_worse_response():
    a, b, c = map(math.exp, [0.7 - 0.5, -0.4, 1.9])
    expected = math.log((a + b + c) / a)
    assert losses([([0.7, -0.4, 1.9], [1, 2, 2])], "plackett_luce", margin=0.5) == pytest.approx([expected])


def test_long_rankings_weigh_no_more_than_short_ones():
    equal = losses([([0.0] * n, list(range(1, n + 1))) for n in (2, 3, 6)], "plackett_luce")
    assert equal == pytest.approx([math.log(math.factorial(n)) / (n - 1) for n in (2, 3, 6)])
    assert all(cost >= 0 for cost in losses(random_groups(1), "plackett_luce"))
