"""Anchors: terms beside a ranking loss, which leaves the level of scores free, that hold the level.

A ranking loss is unchanged by a constant added to all scores of a group. These are not, so their gradients need not sum to
zero; each is off unless asked for.

Shape key: G groups, K response slots (G, K, K: pairs).
"""

import torch
from torch import Tensor

from worker.objectives.evidence import best_responses, ordered_pairs, tied_pairs


def centring(scores_GK: Tensor, tiers_GK: Tensor, mask_GK: Tensor, weight_G: Tensor) -> Tensor:
    """Mean of (s_i + s_j)² over each group's judged pairs, ties too, times its weight: units of score squared, (G,).

    For a pair it is (r⁺ + r⁻)² (Eisenstein et al. 2023, arXiv:2312.09244, where it makes reward models identifiable), with
    a coefficient around 0.01 in the loss. For a group of n the mean over pairs is
    [4 n (n − 1) s̄² + 2 (n − 2) Σ (s_i − s̄)²] / (n (n − 1)): above all the level, and for n > 2 the spread a little.
    """
    pairs_GKK = ordered_pairs(tiers_GK, mask_GK)
    pairs_GKK = pairs_GKK | pairs_GKK.transpose(1, 2) | tied_pairs(tiers_GK, mask_GK)
    sum_GKK = scores_GK.unsqueeze(2) + scores_GK.unsqueeze(1)
    square_GKK = torch.where(pairs_GKK, sum_GKK, torch.zeros_like(sum_GKK)).square()
    return weight_G * square_GKK.sum((1, 2)) / pairs_GKK.sum((1, 2)).clamp(min=1)


def best_cross_entropy(
    logp_GK: Tensor, tokens_GK: Tensor, tiers_GK: Tensor, mask_GK: Tensor, weight_G: Tensor
) -> Tensor:
    """The −log π(a|x) per token of the best responses, mean over a group's best tier, times its weight: nats per token, (G,).

    Beside a preference loss it keeps the best responses likely, which that loss by itself lets fall as long as the worse ones
    fall faster (Pang et al. 2024, arXiv:2404.19733, eq. 1, there with the average over tokens as here).
    """
    best_GK = best_responses(tiers_GK, mask_GK)
    per_token_GK = torch.where(best_GK, -logp_GK / tokens_GK.clamp(min=1), torch.zeros_like(logp_GK))
    return weight_G * per_token_GK.sum(1) / best_GK.sum(1).clamp(min=1)
