"""Plackett–Luce: a ranking as a sequence of choices, the best first, each among what is left.

Derivation (Luce 1959; Plackett 1975). With utilities r(a) + ε, ε Gumbel(0, 1), the response with the largest utility of a
set is i with probability e^{r_i} / Σ_k e^{r_k}, and what is left after taking it away is again such a set. So the
probability of a whole ranking is the product over its places of e^{r_i} / Σ_{k in the tail} e^{r_k}, where the tail of i is i
and everything ranked below it. (Yellott 1977: among independent utilities Gumbel noise alone gives this rule. For policies:
Rafailov et al. 2023, arXiv:2305.18290, appendix A.3, eq. 18.) Each choice costs log Σ_tail e^{s_k} − s_i, and depends on differences
alone. For K = 2 there is one choice, and it is Bradley–Terry.

Ties are read by one of two conventions:

    left out    the tail of i is i and what stands in worse tiers; companions in its own tier are not compared with it.
                Each choice is still a true marginal of the model, so this is a composite likelihood
    half        the tail of i is its whole tier and what stands in worse ones (Breslow 1974). Two tied responses then cost
                half of −log σ(d) and half of −log σ(−d), as in the pair losses

With both, an order without ties has its exact likelihood, divided by the number of choices so that long rankings do not
outweigh short ones.

Wrong choices. With probability ε the one taken was any of the others of the tail, each as likely: ε/(n − 1) for a tail of n.
Conservative weights mix the costs so; robust ones are the inverse of this noise applied to the costs, whose average over the
noise is the true cost (Patrini et al. 2017, theorem 1). At n = 2 both are those of `evidence.py`.

A margin m asks the one taken for a lead of m over each of its tail that stands in another tier.

Shape key: G groups, K response slots; (G, K, K): the one taken, another of its tail; (G, K, K, K): the choice, the one that
is taken in it, one of the tail.
"""

import torch
from torch import Tensor

from worker.objectives.evidence import PLAIN, Evidence


def plackett_luce(
    scores_GK: Tensor,
    tiers_GK: Tensor,
    mask_GK: Tensor,
    margin_G: Tensor,
    weight_G: Tensor,
    evidence: Evidence = PLAIN,
) -> Tensor:
    """Mean cost of each group's choices times its weight: nats, (G,); zero for a group without a choice.

    Log-sum-exp over the tail of differences to the one taken: finite for any finite scores, and the gradient sums to zero.
    """
    tail_GKK = tails(tiers_GK, mask_GK, evidence.ties)
    is_choice_GK = tail_GKK.sum(2) > 1
    score_GK = torch.where(mask_GK, scores_GK, torch.zeros_like(scores_GK))
    unequal_GKK = tiers_GK.unsqueeze(2) != tiers_GK.unsqueeze(1)
    behind_GKK = score_GK.unsqueeze(1) - score_GK.unsqueeze(2) + margin_G[:, None, None] * unequal_GKK
    among_GKKK = behind_GKK.unsqueeze(1).masked_fill(~tail_GKK.unsqueeze(2), -torch.inf)
    weight_GKK = _choice_weights(tail_GKK, evidence, score_GK.dtype) * is_choice_GK.unsqueeze(2)
    cost_G = (weight_GKK * torch.logsumexp(among_GKKK, dim=3)).sum((1, 2))
    return weight_G * cost_G / is_choice_GK.sum(1).clamp(min=1)


def tails(tiers_GK: Tensor, mask_GK: Tensor, ties: str) -> Tensor:
    """What each response was taken from: itself, worse ones, and its own tier if ties count half. Bool, (G, K, K)."""
    judged_GKK = mask_GK.unsqueeze(2) & mask_GK.unsqueeze(1)
    mine_GK1, other_G1K = tiers_GK.unsqueeze(2), tiers_GK.unsqueeze(1)
    below_GKK = mine_GK1 <= other_G1K if ties == "half" else mine_GK1 < other_G1K
    itself_KK = torch.eye(tiers_GK.shape[1], dtype=torch.bool, device=tiers_GK.device)
    return judged_GKK & below_GKK | itself_KK


def _choice_weights(tail_GKK: Tensor, evidence: Evidence, dtype: torch.dtype) -> Tensor:
    """How much "of i's tail, j was taken" counts: 1 on the diagonal without noise, (G, K, K)."""
    itself_KK = torch.eye(tail_GKK.shape[1], dtype=dtype, device=tail_GKK.device)
    wrong_GK1 = evidence.smoothing / (tail_GKK.sum(2, keepdim=True) - 1).clamp(min=1).to(dtype)
    right = 1 - evidence.smoothing
    if evidence.robust:
        return (itself_KK - wrong_GK1 * tail_GKK) / (right - wrong_GK1)
    return torch.where(itself_KK.bool(), right * itself_KK, wrong_GK1 * tail_GKK)
