"""Ranking losses: how badly a score for each response of a group disagrees with the order people gave them.

A group is a prompt with up to K responses. ``tiers_GK`` is its weak order (1 = best, equal tiers = tie); ``mask_GK``
says which slots hold a judged response. Whatever stands in the other slots, NaN included, changes nothing.

The ordered pairs of a group are all (i, j) with tier_i < tier_j. For K = 2 there is at most one, and a ranking loss is
then exactly the pair loss. A group's loss is the mean over its ordered pairs, so that a ranking of eight responses does
not count 28 times as much as a choice between two (Ouyang et al. 2022, arXiv:2203.02155, eq. 1).

Each loss here depends on differences of scores alone. A constant added to the scores of a group therefore changes
nothing, and the gradient with respect to the scores sums to zero in each group.

A batch's loss is the weighted mean over the groups that have an order. Losses return the weighted loss of each group and
leave the division to the caller, who knows the count of the whole step: ``loss_G.sum() / order_weight(…)`` summed over
micro-batches is then the same number however the step was cut up.

Left out: ties as evidence (half to each side, Davidson), probit, Plackett–Luce, hinge, squared.

Shape key: G groups, K response slots (G, K, K: better response, worse response).
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

TIE = 1e-5
"""Scores nearer than this are equal. The same log-probability summed in batches of different shape differs by as much."""

RankingLoss = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def ordered_pairs(tiers_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """Where response i stands in a better tier than response j, both judged: bool, (G, K, K)."""
    judged_GKK = mask_GK.unsqueeze(2) & mask_GK.unsqueeze(1)
    return judged_GKK & (tiers_GK.unsqueeze(2) < tiers_GK.unsqueeze(1))


def order_weight(tiers_GK: Tensor, mask_GK: Tensor, weight_G: Tensor) -> Tensor:
    """What a batch's summed loss is divided by: the weight of its groups that have an order, shape ()."""
    has_order_G = ordered_pairs(tiers_GK, mask_GK).flatten(1).any(1)
    return (weight_G * has_order_G).sum()


def logistic(scores_GK: Tensor, tiers_GK: Tensor, mask_GK: Tensor, margin_G: Tensor, weight_G: Tensor) -> Tensor:
    """Bradley–Terry loss of each group times its weight: nats, (G,); zero for a group without an order.

    Derivation. Response a has utility r(a) + ε with ε Gumbel(0, 1). The difference of two such ε is logistic, so
    P(a⁺ ≻ a⁻) = σ(r⁺ − r⁻), and a pair costs −log σ(s⁺ − s⁻) = softplus(s⁻ − s⁺). Equal scores cost ln 2.
    (Bradley & Terry 1952; as a loss for reward models: arXiv:2203.02155, eq. 1. For K > 2 the mean over all pairs is a
    composite likelihood of the ranking, not its likelihood.)

    ``margin_G`` (≥ 0, in units of score) asks for a larger difference: −log σ(s⁺ − s⁻ − m), arXiv:2307.09288, eq. 2.
    ``logsigmoid`` keeps loss and gradient finite for any finite difference; log(1 + exp(x)) overflows at 89 in float32.
    """
    pairs_GKK = ordered_pairs(tiers_GK, mask_GK)
    difference_GKK = _pair_differences(scores_GK, pairs_GKK) - margin_G[:, None, None]
    return weight_G * _mean_over_pairs(-functional.logsigmoid(difference_GKK), pairs_GKK)


def pair_counts(scores_GK: Tensor, tiers_GK: Tensor, mask_GK: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums for accuracy and margin over all ordered pairs: (right, summed difference, number of pairs), each ().

    A pair with equal scores counts as half right: a model without an opinion has accuracy ½, not 0. Sums and counts, so
    that dividing once at the end gives the same accuracy whatever the batch size.
    """
    pairs_GKK = ordered_pairs(tiers_GK, mask_GK)
    difference_GKK = _pair_differences(scores_GK.detach(), pairs_GKK).double()
    right_GKK = (difference_GKK > TIE).double() + 0.5 * (difference_GKK.abs() <= TIE).double()
    return (right_GKK * pairs_GKK).sum(), difference_GKK.sum(), pairs_GKK.sum()


def _pair_differences(scores_GK: Tensor, pairs_GKK: Tensor) -> Tensor:
    """s_i − s_j where (i, j) is an ordered pair and 0 elsewhere, so that an empty slot cannot reach loss or gradient."""
    difference_GKK = scores_GK.unsqueeze(2) - scores_GK.unsqueeze(1)
    return torch.where(pairs_GKK, difference_GKK, torch.zeros_like(difference_GKK))


def _mean_over_pairs(loss_GKK: Tensor, pairs_GKK: Tensor) -> Tensor:
    """Mean over each group's ordered pairs, (G,); 0 where there are none."""
    count_G = pairs_GKK.sum((1, 2))
    return torch.where(pairs_GKK, loss_GKK, torch.zeros_like(loss_GKK)).sum((1, 2)) / count_G.clamp(min=1)


LOSSES: dict[str, RankingLoss] = {"logistic": logistic}
