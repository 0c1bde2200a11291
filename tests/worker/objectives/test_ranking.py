"""The ranking losses as mathematics, in float64."""

import itertools
import math
from collections.abc import Callable
from random import Random

import pytest
import torch

from tests.scored import READINGS, Group, Groups, constant, gradient, losses, minimise, random_groups, tensors
from worker.objectives.evidence import PLAIN, Evidence, order_weight, ordered_pairs, pair_weights
from worker.objectives.ranking import LOSSES, TIE, counts_ties, davidson, pair_counts

EVERY_LOSS = pytest.mark.parametrize("loss", LOSSES)
EVERY_READING = pytest.mark.parametrize("evidence", READINGS.values(), ids=READINGS)
# What "i is better than j" costs, written down again from the lead, without a thought for overflow.
BY_HAND: dict[str, Callable[[float], float]] = {
    "logistic": lambda lead: math.log1p(math.exp(-lead)),
    "probit": lambda lead: -math.log(0.5 * math.erfc(-lead / 2)),
    "hinge": lambda lead: max(0.0, 1 - lead),
    "squared": lambda lead: (lead - 0.5) ** 2,
}
TWO: Groups = [([0.3, -1.2, 1.9], [1, 2, 2]), ([0.1, 0.25, -0.4], [3, 1, 2])]


def mean_by_hand(group: Group, cost: Callable[[float], float], evidence: Evidence, margin: float) -> float:
    """Pair by pair: what was said with 1 − ε, its opposite with ε, a tie half each way."""
    found, flip = [], evidence.smoothing
    for (one, better), (other, worse) in itertools.combinations(zip(*group, strict=True), 2):
        if better is None or worse is None:
            continue
        if better == worse and evidence.ties == "half":
            found.append(0.5 * cost(one - other) + 0.5 * cost(other - one))
        if better != worse:
            lead = (one - other) * (1 if better < worse else -1)
            said, opposite = cost(lead - margin), cost(-lead - margin)
            if evidence.robust:
                found.append(((1 - flip) * said - flip * opposite) / (1 - 2 * flip))
            else:
                found.append((1 - flip) * said + flip * opposite)
    return sum(found) / len(found) if found else 0.0


@pytest.mark.parametrize("loss", ["logistic", "probit"])
@pytest.mark.parametrize("tiers", [[1, 2], [2, 1, 1], [1, 2, 3, 4], [3, 1, 2, 2, None]])
def test_it_gives_ln_2_when_all_scores_are_equal(loss: str, tiers: list[int | None]):
    assert losses([([0.7] * len(tiers), tiers)], loss) == pytest.approx([math.log(2)], abs=1e-15)


@EVERY_LOSS
def test_what_equal_scores_of_a_pair_cost_is_known(loss: str):
    known = {"hinge": 1.0, "squared": 0.25, "davidson": math.log(3)}
    assert losses([([0.7, 0.7], [2, 1])], loss) == pytest.approx([known.get(loss, math.log(2))], abs=1e-15)


@pytest.mark.parametrize("loss", BY_HAND)
@EVERY_READING
@pytest.mark.parametrize("margin", [0.0, 0.4])
def test_it_is_the_mean_over_pairs_as_counted_by_hand(loss: str, evidence: Evidence, margin: float):
    groups = random_groups(3)
    expected = [mean_by_hand(group, BY_HAND[loss], evidence, margin) for group in groups]
    assert losses(groups, loss, evidence, margin) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("loss", BY_HAND)
def test_a_group_of_two_costs_what_the_pair_costs(loss: str):
    rng = Random(1)
    pairs = [(rng.gauss(0, 2), rng.gauss(0, 2)) for _ in range(50)]
    found = losses([([better, worse], [1, 2]) for better, worse in pairs], loss)
    assert found == pytest.approx([BY_HAND[loss](better - worse) for better, worse in pairs], rel=1e-12)


@EVERY_LOSS
@EVERY_READING
def test_it_has_the_derivative_of_finite_differences(loss: str, evidence: Evidence):
    scores_GK, tiers_GK, mask_GK = tensors(TWO)
    ones_G = constant(1.0, 2)
    assert torch.autograd.gradcheck(
        lambda s: LOSSES[loss](s, tiers_GK, mask_GK, 0.45 * ones_G, ones_G, evidence), scores_GK
    )


@EVERY_LOSS
@EVERY_READING
@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_its_gradient_sums_to_zero_in_each_group_and_empty_slots_take_none(
    loss: str, evidence: Evidence, margin: float
):
    gradient_GK, mask_GK = gradient(random_groups(4), loss, evidence, margin)
    assert torch.isfinite(gradient_GK).all()
    assert gradient_GK[~mask_GK].eq(0).all()
    assert gradient_GK.sum(1).abs().max() < 1e-14
    assert gradient_GK.abs().max() > 0.1


@EVERY_LOSS
@EVERY_READING
def test_it_does_not_see_a_constant_added_to_the_scores_of_a_group(loss: str, evidence: Evidence):
    groups = random_groups(7)
    moved = [([score + 100.0 * place for score in scores], tiers) for place, (scores, tiers) in enumerate(groups)]
    assert losses(moved, loss, evidence) == pytest.approx(losses(groups, loss, evidence), abs=1e-11)


@EVERY_LOSS
@EVERY_READING
def test_neither_the_order_of_responses_nor_empty_slots_change_anything(loss: str, evidence: Evidence):
    groups, rng = random_groups(8), Random(8)
    mixed = []
    for scores, tiers in groups:
        slots = [*zip(scores, tiers, strict=True), (math.nan, None), (math.inf, None)]
        rng.shuffle(slots)
        mixed.append(([score for score, _ in slots], [tier for _, tier in slots]))
    together = losses(groups, loss, evidence, margin=0.3)
    alone = [losses([group], loss, evidence, margin=0.3)[0] for group in groups]
    assert losses(mixed, loss, evidence, margin=0.3) == pytest.approx(together, rel=1e-13, abs=1e-15)
    assert alone == pytest.approx(together, rel=1e-13, abs=1e-15)


@EVERY_LOSS
@EVERY_READING
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [1e4, -1e4, 88.0, -120.0])
def test_it_stays_finite_for_any_lead(loss: str, evidence: Evidence, dtype: torch.dtype, lead: float):
    scores_GK = torch.tensor([[lead, 0.0, -lead]], dtype=dtype, requires_grad=True)
    one_G = torch.ones(1, dtype=dtype)
    mask_GK = torch.ones(1, 3, dtype=torch.bool)
    loss_G = LOSSES[loss](scores_GK, torch.tensor([[1, 2, 2]]), mask_GK, 0 * one_G, one_G, evidence)
    loss_G.sum().backward()
    assert torch.isfinite(loss_G).all()
    assert torch.isfinite(scores_GK.grad).all()


def test_the_probit_loss_is_exact_in_the_tail_where_the_logarithm_of_phi_is_not():
    """z = −10: log Φ(z) = −53.2312851505, and −∞ in float32 when the logarithm is taken of Φ."""
    scores_GK = torch.tensor([[-10 * math.sqrt(2), 0.0]])
    one_G = torch.ones(1)
    found = LOSSES["probit"](scores_GK, torch.tensor([[1, 2]]), scores_GK > -99, 0 * one_G, one_G)
    assert (0.5 * (1 + torch.erf(scores_GK / 2))).log()[0, 0] == -torch.inf
    assert found.item() == pytest.approx(53.2312851505, rel=1e-6)


@EVERY_LOSS
def test_it_asks_for_a_margin_and_counts_by_weight(loss: str):
    level = losses([([0.0, 0.0], [1, 2])], loss)[0]
    assert losses([([1.5, 0.5], [1, 2])], loss, margin=1.0) == pytest.approx([level])
    assert losses([([1.0, 1.0], [1, 2])], loss, weight=0.25) == pytest.approx([level / 4])


@EVERY_LOSS
def test_a_tie_asks_for_no_margin_and_is_cheapest_between_equals(loss: str):
    tied: Groups = [([shift, 0.0], [1, 1]) for shift in (-0.8, -0.1, 0.0, 0.1, 0.8)]
    evidence = Evidence("half")
    found = losses(tied, loss, evidence)
    assert losses(tied, loss, evidence, margin=2.0) == found
    assert found == pytest.approx(found[::-1])
    assert found[0] >= found[1] >= found[2]
    assert found[0] > found[2] or loss == "hinge"
    assert losses(tied, loss)[0] == 0.0 or loss == "davidson"


@EVERY_LOSS
def test_label_smoothing_acts(loss: str):
    groups: Groups = [([0.4, -0.3], [1, 2])]
    plain, conservative, robust = (
        losses(groups, loss, evidence)[0]
        for evidence in (PLAIN, Evidence(smoothing=0.3), Evidence(smoothing=0.3, robust=True))
    )
    assert conservative > plain + 0.05
    assert robust < plain - 0.05


@EVERY_LOSS
def test_the_robust_loss_is_the_clean_one_on_average_over_flips(loss: str):
    flip, evidence = 0.2, Evidence("left_out", 0.2, robust=True)
    said: Groups = [([0.9, -0.3], [1, 2])]
    flipped: Groups = [([0.9, -0.3], [2, 1])]
    average = (1 - flip) * losses(said, loss, evidence, 0.1)[0] + flip * losses(flipped, loss, evidence, 0.1)[0]
    assert average == pytest.approx(losses(said, loss, margin=0.1)[0], rel=1e-12)


@pytest.mark.parametrize("loss", ["logistic", "plackett_luce"])
def test_the_conservative_loss_is_lowest_where_the_model_doubts_as_much(loss: str):
    """log((1 − ε)/ε), where the loss without smoothing has no minimum."""
    scores_GK, tiers_GK, mask_GK = tensors([([0.0, 0.0], [1, 2])])
    one_G, evidence = constant(1.0, 1), Evidence(smoothing=0.1)
    minimise([scores_GK], lambda: LOSSES[loss](scores_GK, tiers_GK, mask_GK, 0 * one_G, one_G, evidence).sum())
    assert (scores_GK[0, 0] - scores_GK[0, 1]).item() == pytest.approx(math.log(9), abs=1e-6)


def test_a_choice_with_flipped_labels_is_symmetric_and_monotone_but_stays_away_from_0_and_1():
    tiers_GK = torch.tensor([[1, 2]])
    weight_GKK = pair_weights(tiers_GK, tiers_GK > 0, Evidence(smoothing=0.1), torch.float64)
    lead = torch.linspace(-50, 50, 101, dtype=torch.float64)
    share = weight_GKK[0, 0, 1] * lead.sigmoid() + weight_GKK[0, 1, 0] * (-lead).sigmoid()
    torch.testing.assert_close(share, 1 - share.flip(0))
    assert (share.diff() >= 0).all()
    assert [share[0].item(), share[-1].item()] == pytest.approx([0.1, 0.9])


def test_davidson_gives_every_outcome_its_probability():
    nu, evidence = 0.6, Evidence(tie_weight=0.6)
    for lead in (-2.0, 0.0, 0.3):
        costs = [losses([([lead, 0.0], tiers)], "davidson", evidence)[0] for tiers in ([1, 2], [2, 1], [1, 1])]
        strengths = [math.exp(lead), 1.0, nu * math.exp(lead / 2)]
        assert [math.exp(-cost) for cost in costs] == pytest.approx([each / sum(strengths) for each in strengths])


def test_davidson_is_the_mean_over_a_groups_choices_and_ties():
    scores, nu = [0.3, -1.2, 1.9], 0.6
    costs = []
    for one, other, tied in ((0, 1, False), (0, 2, False), (1, 2, True)):
        lead = scores[one] - scores[other]
        costs.append(-math.log((nu if tied else math.exp(lead / 2)) / (2 * math.cosh(lead / 2) + nu)))
    assert losses([(scores, [1, 2, 2])], "davidson", Evidence(tie_weight=nu)) == pytest.approx([sum(costs) / 3])


def test_davidson_without_ties_to_come_is_bradley_terry():
    groups = [group for group in random_groups(2) if None not in group[1] and len(set(group[1])) == len(group[1])]
    groups += [([0.3, 2.0, -1.0], [2, 1, 3])]
    assert losses(groups, "davidson", Evidence(tie_weight=1e-14)) == pytest.approx(losses(groups), rel=1e-6, abs=1e-12)


def test_davidsons_own_parameter_can_be_fitted_beside_the_scores():
    """Exact shares of the three outcomes of one pair: both the lead and ν come back."""
    lead, nu = 0.8, 1.7
    strengths = [math.exp(lead), 1.0, nu * math.exp(lead / 2)]
    weight_G = torch.tensor(strengths, dtype=torch.float64) / sum(strengths)
    scores_K = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    log_nu = torch.zeros((), dtype=torch.float64, requires_grad=True)
    tiers_GK = torch.tensor([[1, 2], [2, 1], [1, 1]])
    minimise(
        [scores_K, log_nu],
        lambda: davidson(
            scores_K.expand(3, 2), tiers_GK, tiers_GK > 0, 0 * weight_G, weight_G, Evidence(tie_weight=log_nu.exp())
        ).sum(),
    )
    assert (scores_K[0] - scores_K[1]).item() == pytest.approx(lead, abs=1e-6)
    assert log_nu.exp().item() == pytest.approx(nu, abs=1e-6)


def test_it_is_the_same_number_however_the_step_is_cut_up():
    groups = random_groups(3, n=16)

    def mean_and_gradient(cuts: list[Groups]) -> tuple[float, list[float]]:
        parts = [tensors(cut) for cut in cuts]
        whole = sum(order_weight(tiers, mask, constant(1.0, len(tiers))) for _, tiers, mask in parts)
        total, slopes = 0.0, []
        for scores, tiers, mask in parts:
            n = len(tiers)
            loss = LOSSES["logistic"](scores, tiers, mask, constant(0.0, n), constant(1.0, n)).sum() / whole
            loss.backward()
            total += loss.item()
            slopes += scores.grad[mask].tolist()
        return total, slopes

    at_once = mean_and_gradient([groups])
    in_parts = mean_and_gradient([groups[:3], groups[3:4], groups[4:]])
    costs = [mean_by_hand(group, BY_HAND["logistic"], PLAIN, 0.0) for group in groups]
    assert in_parts[0] == pytest.approx(at_once[0], rel=1e-14)
    assert in_parts[1] == pytest.approx(at_once[1], rel=1e-12)
    assert at_once[0] == pytest.approx(sum(costs) / sum(cost > 0 for cost in costs))


def test_a_group_without_a_comparison_weighs_nothing():
    groups: Groups = [([1.0, 5.0], [1, 1]), ([2.0], [1]), ([1.0, 2.0], [1, None]), ([1.0, 0.0], [1, 2])]
    _, tiers_GK, mask_GK = tensors(groups)
    weight_G = torch.tensor([1.0, 1.0, 1.0, 0.5])
    for loss in LOSSES:
        assert losses(groups, loss)[1:3] == [0.0, 0.0]
        assert losses(groups, loss)[0] == 0.0 or counts_ties(loss, "left_out")
    assert float(order_weight(tiers_GK, mask_GK, weight_G)) == 0.5
    assert float(order_weight(tiers_GK, mask_GK, weight_G, with_ties=True)) == 1.5


def test_ties_make_no_pair():
    pairs_GKK = ordered_pairs(torch.tensor([[1, 2, 2, 3]]), torch.ones(1, 4, dtype=torch.bool))
    assert pairs_GKK.nonzero()[:, 1:].tolist() == [[0, 1], [0, 2], [0, 3], [1, 3], [2, 3]]


def counts(groups: Groups) -> tuple[float, float, int]:
    right, margin, pairs = pair_counts(*tensors(groups))
    return float(right), float(margin), int(pairs)


def test_equal_scores_are_half_right():
    assert counts([([0.0, 0.0, 0.0], [1, 2, 3])]) == (1.5, 0.0, 3)
    assert counts([([0.0, 3e-6], [1, 2])])[0] == 0.5  # as far as sums in another order lie apart
    assert counts([([TIE / 2, 0.0], [1, 2]), ([0.0, TIE / 2], [1, 2])])[0] == 1.0
    assert counts([([2 * TIE, 0.0], [1, 2]), ([0.0, 2 * TIE], [1, 2])])[0] == 1.0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
def test_accuracy_and_margin_do_not_depend_on_the_batch_size(size: int):
    groups = random_groups(11, n=11)
    parts = [counts(groups[start : start + size]) for start in range(0, len(groups), size)]
    assert [sum(column) for column in zip(*parts, strict=True)] == pytest.approx(list(counts(groups)))
