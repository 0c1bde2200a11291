"""Evidence: which comparisons a judgment makes, and how much each of them counts.

A judgment puts the responses of a group into tiers (1 = best, equal tiers = tie). ``tiers_GK`` holds them; ``mask_GK`` says
which slots hold a judged response. The ordered pairs of a group are all (i, j) with tier_i < tier_j, the tied ones all
i ≠ j with tier_i = tier_j. A ranking loss sees weights w_ij ≥ 0 with which "i is better than j" counts:

    without noise       w_ij = 1 for an ordered pair, and for a tie ½ in each direction, or nothing where ties are left out
    conservative        (1 − ε) w_ij + ε w_ji
    robust              [(1 − ε) w_ij − ε w_ji] / (1 − 2ε)

ε is the probability that a judgment says the opposite of what is true. The conservative weights are the posterior of the
truth for somebody who believed each answer evenly likely: the loss of smoothed labels, cDPO (Mitchell 2023, "A note on DPO
with noisy preferences"). It has its minimum at log((1 − ε)/ε), so a single pair no longer pulls without end.

The robust weights are unbiased: averaged over flips the loss is that of the true labels,
(1 − ε)[(1 − ε) ℓ(z) − ε ℓ(−z)] + ε [(1 − ε) ℓ(−z) − ε ℓ(z)] = (1 − 2ε) ℓ(z) (Natarajan et al. 2013, lemma 1; for DPO
Chowdhury et al. 2024, arXiv:2403.00409). The price: more variance, and a loss that may be negative and has no lower bound.

Left out: an ε for each judge.

Shape key: G groups, K response slots (G, K, K: better response, worse response).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Evidence:
    """How judgments are read. ``smoothing`` is ε; ``tie_weight`` is Davidson's ν, which no other loss looks at."""

    ties: str = "left_out"
    smoothing: float = 0.0
    robust: bool = False
    tie_weight: float | Tensor = 1.0


PLAIN = Evidence()


def ordered_pairs(tiers_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """Where response i stands in a better tier than response j, both judged: bool, (G, K, K)."""
    return _both(mask_GK) & (tiers_GK.unsqueeze(2) < tiers_GK.unsqueeze(1))


def tied_pairs(tiers_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """Where i ≠ j stand in the same tier, both judged: bool, (G, K, K), symmetric."""
    other_KK = ~torch.eye(tiers_GK.shape[1], dtype=torch.bool, device=tiers_GK.device)
    return _both(mask_GK) & (tiers_GK.unsqueeze(2) == tiers_GK.unsqueeze(1)) & other_KK


def pair_weights(tiers_GK: Tensor, mask_GK: Tensor, evidence: Evidence, dtype: torch.dtype) -> Tensor:
    """The w_ij of the module's docstring, (G, K, K)."""
    weight_GKK = ordered_pairs(tiers_GK, mask_GK).to(dtype)
    if evidence.ties == "half":
        weight_GKK = weight_GKK + 0.5 * tied_pairs(tiers_GK, mask_GK)
    flip, opposite_GKK = evidence.smoothing, weight_GKK.transpose(1, 2)
    if evidence.robust:
        return ((1 - flip) * weight_GKK - flip * opposite_GKK) / (1 - 2 * flip)
    return (1 - flip) * weight_GKK + flip * opposite_GKK


def pair_count(tiers_GK: Tensor, mask_GK: Tensor, *, with_ties: bool) -> Tensor:
    """How many comparisons a group makes, a tie being one: (G,)."""
    count_G = ordered_pairs(tiers_GK, mask_GK).sum((1, 2))
    return count_G + tied_pairs(tiers_GK, mask_GK).sum((1, 2)) // 2 if with_ties else count_G


def order_weight(tiers_GK: Tensor, mask_GK: Tensor, weight_G: Tensor, *, with_ties: bool = False) -> Tensor:
    """What a batch's summed loss is divided by: the weight of its groups that make a comparison, shape ()."""
    return (weight_G * (pair_count(tiers_GK, mask_GK, with_ties=with_ties) > 0)).sum()


def best_responses(tiers_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """Which responses stand in the best tier of their group: bool, (G, K)."""
    top_G1 = tiers_GK.masked_fill(~mask_GK, torch.iinfo(tiers_GK.dtype).max).amin(1, keepdim=True)
    return mask_GK & (tiers_GK == top_G1)


def _both(mask_GK: Tensor) -> Tensor:
    return mask_GK.unsqueeze(2) & mask_GK.unsqueeze(1)
