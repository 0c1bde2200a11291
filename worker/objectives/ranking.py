"""Ranking losses: how badly a score for each response of a group disagrees with the order people gave them.

A group is a prompt with up to K responses. ``tiers_GK`` is its weak order (1 = best, equal tiers = tie); ``mask_GK``
says which slots hold a judged response. Whatever stands in the other slots, NaN included, changes nothing.

The pair losses are functions ℓ(z) of the lead z = s_i − s_j − m for "i is better than j". A group's loss is the mean over its
pairs (`over_pairs`), so that a ranking of eight responses does not count 28 times as much as a choice between two (Ouyang et
al. 2022, arXiv:2203.02155, eq. 1). For K = 2 there is one pair, and a ranking loss is exactly the pair loss. For K > 2 the mean
over all pairs under the logistic or probit loss is a composite likelihood of the ranking, not its likelihood; Plackett–Luce
(`plackett_luce.py`) is the likelihood. Which pairs count how much, ties and wrong labels included, is `evidence.py`'s.

``margin_G`` (≥ 0, in units of score) is the lead m that is asked for over and above a better place (arXiv:2307.09288, eq. 2):
a constant for all, or larger where the annotator said the difference was clear. A tie asks for none; a label taken to be
flipped (`Evidence.smoothing`) asks for it the other way round.

Each loss here depends on differences of scores alone. A constant added to the scores of a group therefore changes
nothing, and the gradient with respect to the scores sums to zero in each group.

A batch's loss is the weighted mean over the groups that make a comparison. Losses return the weighted loss of each group and
leave the division to the caller, who knows the count of the whole step: ``loss_G.sum() / order_weight(…)`` summed over
micro-batches is then the same number however the step was cut up.

Left out: weights by the distance of two tiers, cycles (a judgment is a weak order), more than one annotator in one group.

Shape key: G groups, K response slots (G, K, K: better response, worse response).
"""

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from worker.objectives.evidence import PLAIN, Evidence, ordered_pairs, pair_count, pair_weights, tied_pairs
from worker.objectives.plackett_luce import plackett_luce

TIE = 1e-5
"""Scores nearer than this are equal. The same log-probability summed in batches of different shape differs by as much."""


class RankingLoss(Protocol):
    """(scores_GK, tiers_GK, mask_GK, margin_G, weight_G, evidence) → the loss of each group times its weight, (G,)."""

    def __call__(
        self,
        scores_GK: Tensor,
        tiers_GK: Tensor,
        mask_GK: Tensor,
        margin_G: Tensor,
        weight_G: Tensor,
        evidence: Evidence = PLAIN,
    ) -> Tensor: ...


def logistic(lead: Tensor) -> Tensor:
    """Bradley–Terry: −log σ(z), nats.

    Derivation. Response a has utility r(a) + ε with ε Gumbel(0, 1). The difference of two such ε is logistic, so
    P(a⁺ ≻ a⁻) = σ(r⁺ − r⁻). Equal scores cost ln 2. (Bradley & Terry 1952; as a loss for reward models: arXiv:2203.02155,
    eq. 1.) With half a tie on each side the minimum lies at equal scores.

    ``logsigmoid`` keeps loss and gradient finite for any finite lead; log(1 + exp(x)) overflows at 89 in float32.
    """
    return -functional.logsigmoid(lead)


def probit(lead: Tensor) -> Tensor:
    """Thurstone: −log Φ(z/√2), nats.

    Derivation (Thurstone 1927, case V). With ε standard normal the difference of two is normal with variance 2, so
    P(a⁺ ≻ a⁻) = Φ((r⁺ − r⁻)/√2). Equal scores cost ln 2. Its tail is z²/4 where the logistic one is linear: a judgment that
    contradicts the model pulls harder the more it does, so wrong labels hurt more.

    ``log_ndtr`` is exact in the tail, where log(Φ(z)) is −∞ from z = −10 on in float32.
    """
    logp: Tensor = torch.special.log_ndtr(lead / math.sqrt(2))
    return -logp


def hinge(lead: Tensor) -> Tensor:
    """max(0, 1 − z), in units of score.

    No model of choice stands behind it: a pair is done once the better response leads by one. Equal scores cost 1. For
    implicit rewards this is SLiC's loss in the form of Liu et al. 2023, arXiv:2309.06657, with γ = β.
    """
    return functional.relu(1 - lead)


def squared(lead: Tensor) -> Tensor:
    """(z − ½)², in units of score squared.

    Derivation (Azar et al. 2023, arXiv:2310.12036, eq. 17). IPO maximises the probability of being preferred instead of a
    reward, under the same KL penalty; its optimum has h = log-ratio⁺ − log-ratio⁻ regress on 1/(2τ): (h − 1/(2τ))². With
    s = β log-ratio and τ = β this is (Δs − ½)²/β²; the division is the caller's (`methods/preference.py`), since scores
    without β know nothing of it. The loss ends at a finite lead, where DPO on labels without noise goes on for ever.
    Averaged over tokens (`ipo_mean`) it is what the authors ran and TRL computes; summed (`ipo_sum`) it is the paper's text.
    """
    return (lead - 0.5).square()


def over_pairs(cost: Callable[[Tensor], Tensor]) -> RankingLoss:
    """The ranking loss that is the mean of a pair's cost ℓ over each group's pairs; 0 for a group without a pair."""

    def mean_cost(
        scores_GK: Tensor,
        tiers_GK: Tensor,
        mask_GK: Tensor,
        margin_G: Tensor,
        weight_G: Tensor,
        evidence: Evidence = PLAIN,
    ) -> Tensor:
        cost_GKK = cost(leads(scores_GK, tiers_GK, mask_GK, margin_G))
        weight_GKK = pair_weights(tiers_GK, mask_GK, evidence, cost_GKK.dtype)
        count_G = pair_count(tiers_GK, mask_GK, with_ties=evidence.ties == "half")
        return weight_G * (weight_GKK * cost_GKK).sum((1, 2)) / count_G.clamp(min=1)

    return mean_cost


def davidson(
    scores_GK: Tensor,
    tiers_GK: Tensor,
    mask_GK: Tensor,
    margin_G: Tensor,
    weight_G: Tensor,
    evidence: Evidence = PLAIN,
) -> Tensor:
    """Davidson's loss of each group times its weight: nats, (G,); ties are a third outcome, whatever ``evidence.ties`` says.

    Davidson 1970 (JASA 65, 317–328) gives a tie the geometric mean of the two strengths, times ν ≥ 0. With d = r_i − r_j

        P(i ≻ j) = e^{d/2} / (e^{d/2} + e^{−d/2} + ν)        P(tie) = ν / (e^{d/2} + e^{−d/2} + ν)

    so a tie says that the scores are near each other, and how near follows from ν; given that there is no tie, it is
    Bradley–Terry. Equal scores cost log(2 + ν) for a choice and log(2 + ν) − log ν for a tie.

    ν is ``evidence.tie_weight``: given, and not learnt with the scores. Among equals a share t of ties means ν = 2t/(1 − t): 1
    says a third each. A tensor takes a gradient, so ν can be fitted beside the scores by whoever wants to. For K > 2 this is
    the composite likelihood of all pairs.
    """
    log_nu = torch.as_tensor(evidence.tie_weight, dtype=scores_GK.dtype, device=scores_GK.device).log()
    lead_GKK = leads(scores_GK, tiers_GK, mask_GK, margin_G)
    choice_GKK = _log_sum_exp(torch.zeros_like(lead_GKK), -lead_GKK, log_nu - lead_GKK / 2)
    tie_GKK = _log_sum_exp(lead_GKK / 2, -lead_GKK / 2, log_nu.expand_as(lead_GKK)) - log_nu
    left_out = Evidence("left_out", evidence.smoothing, evidence.robust)
    weight_GKK = pair_weights(tiers_GK, mask_GK, left_out, scores_GK.dtype)
    tied_GKK = tied_pairs(tiers_GK, mask_GK)
    both_GKK = weight_GKK * choice_GKK + torch.where(tied_GKK, tie_GKK / 2, torch.zeros_like(tie_GKK))
    return weight_G * both_GKK.sum((1, 2)) / pair_count(tiers_GK, mask_GK, with_ties=True).clamp(min=1)


def leads(scores_GK: Tensor, tiers_GK: Tensor, mask_GK: Tensor, margin_G: Tensor) -> Tensor:
    """z_ij = s_i − s_j − m for judged i ≠ j, m only between different tiers; 0 elsewhere, so that an empty slot reaches nothing."""
    ordered_GKK = ordered_pairs(tiers_GK, mask_GK)
    unequal_GKK = ordered_GKK | ordered_GKK.transpose(1, 2)
    lead_GKK = scores_GK.unsqueeze(2) - scores_GK.unsqueeze(1) - margin_G[:, None, None] * unequal_GKK
    return torch.where(unequal_GKK | tied_pairs(tiers_GK, mask_GK), lead_GKK, torch.zeros_like(lead_GKK))


def pair_counts(scores_GK: Tensor, tiers_GK: Tensor, mask_GK: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums for accuracy and margin over all ordered pairs: (right, summed difference, number of pairs), each ().

    A pair with equal scores counts as half right: a model without an opinion has accuracy ½, not 0. Sums and counts, so
    that dividing once at the end gives the same accuracy whatever the batch size.
    """
    pairs_GKK = ordered_pairs(tiers_GK, mask_GK)
    lead_GKK = leads(scores_GK.detach().double(), tiers_GK, mask_GK, scores_GK.new_zeros(len(scores_GK))) * pairs_GKK
    right_GKK = (lead_GKK > TIE).double() + 0.5 * (lead_GKK.abs() <= TIE).double()
    return (right_GKK * pairs_GKK).sum(), lead_GKK.sum(), pairs_GKK.sum()


def counts_ties(loss: str, ties: str) -> bool:
    """Whether a tie is evidence under this loss and this reading, so that a group of nothing but ties teaches something."""
    return loss == "davidson" or ties != "left_out"


def _log_sum_exp(*terms: Tensor) -> Tensor:
    return torch.logsumexp(torch.stack(terms), dim=0)


LOSSES: dict[str, RankingLoss] = {
    "logistic": over_pairs(logistic),
    "probit": over_pairs(probit),
    "plackett_luce": plackett_luce,
    "hinge": over_pairs(hinge),
    "squared": over_pairs(squared),
    "davidson": davidson,
}
