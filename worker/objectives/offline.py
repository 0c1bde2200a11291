"""Offline GRPO: push each response of a judged group up or down by a weight that the whole group decides.

The loss of a group is −Σ_i R̂_i s_i with s_i = β log π_θ(a_i|x)/π_ref(a_i|x) and weights R̂ that take no gradient and sum to
zero in the group. It has the form of GRPO's policy gradient (Shao et al. 2024, arXiv:2402.03300) with two differences that
matter: the responses were not drawn from the policy, and their number is what people judged.

What the weights are decides what is known about it.

`pairwise`  R̂ = −∂L/∂s for a ranking loss L. The gradient is then that of L by the chain rule, which is DPO's for DPO's L: the
            same optimum, and weights that fade as the order is learnt. The loss's value means nothing.
`rank`      R̂ = (wins − losses) / (2 pairs): the pairwise logistic weights of equal scores, kept for ever.
`score`     R̂ = (q_i − q̄) / n: scores q centred in the group, averaged over it. The baseline is the mean of all, not of the
            others: what people judged is a fixed set, not a sample whose mean is to be estimated.

The last two do not limit themselves. A policy gradient is the gradient of an expected reward because the responses come
from the policy; here they do not, so −Σ R̂ s has no minimum: it falls for ever as a response with R̂ < 0 becomes impossible,
which a likelihood ratio allows at no price. Two rails hold it, both on by default:

    clipping      −Σ min(R̂ s, R̂ clip(s, ±c)): once a response has moved by c the way its weight wants, nothing pulls it on,
                  while whatever pushes it back is felt (PPO's clip, arXiv:1707.06347, eq. 7, of the whole sequence's ratio as
                  in arXiv:2507.18071, against the reference and symmetric in its logarithm). The loss is ≥ −c Σ |R̂|
    penalty       κ/2 · mean_i s_i². Not a KL: KL(π‖π_ref) is an expectation under the policy, this is a mean over the
                  responses that somebody happened to judge. The loss is ≥ −n Σ R̂² / (2κ), and its minimum over scores is
                  s_i = n R̂_i / κ. With `score` weights and κ = 1 that says: implicit reward = centred score. The loss is
                  then ½ mean_i (s_i − q_i + q̄)² but for a constant: least squares, whose solution agrees on the judged
                  responses with π_ref e^{q/β} up to a factor per prompt (compare DRO, arXiv:2405.19107)

Both bounds are in terms of the scores of judged responses alone. Responses nobody judged gain and lose what is left: the
theory says nothing about them, and that is why this is weaker than sampling.

Shape key: G groups, K response slots.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from worker.objectives.evidence import ordered_pairs


def pairwise_weights(loss: Callable[[Tensor], Tensor], scores_GK: Tensor) -> Tensor:
    """R̂ = −∂L/∂s at these scores, detached: (G, K). ``loss`` gives each group's L for scores, shape (G,)."""
    with torch.enable_grad():
        free_GK = scores_GK.detach().requires_grad_()
        (gradient_GK,) = torch.autograd.grad(loss(free_GK).sum(), free_GK)
    return -gradient_GK


def rank_weights(tiers_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """R̂_i = (responses it beats − responses that beat it) / (2 × ordered pairs of the group), in [−½, ½]: (G, K)."""
    pairs_GKK = ordered_pairs(tiers_GK, mask_GK)
    ahead_GK = pairs_GKK.sum(2) - pairs_GKK.sum(1)
    return ahead_GK / (2 * pairs_GKK.sum((1, 2)).clamp(min=1)).unsqueeze(1)


def score_weights(quality_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """R̂_i = (q_i − q̄) / n, in units of q: (G, K); 0 in groups where a judged response has no q.

    Not divided by the deviation, which would let groups whose scores hardly differ weigh as much as any (Liu et al. 2025,
    arXiv:2503.20783).
    """
    n_G1 = mask_GK.sum(1, keepdim=True).clamp(min=1)
    known_G1 = ~(mask_GK & quality_GK.isnan()).any(1, keepdim=True)
    used_GK = mask_GK & known_G1
    kept_GK = torch.where(used_GK, quality_GK, torch.zeros_like(quality_GK))
    mean_G1 = kept_GK.sum(1, keepdim=True) / n_G1
    return torch.where(used_GK, (kept_GK - mean_G1) / n_G1, torch.zeros_like(kept_GK))


def surrogate(scores_GK: Tensor, weights_GK: Tensor, mask_GK: Tensor, limit: float = torch.inf) -> Tensor:
    """−Σ_i min(R̂_i s_i, R̂_i clip(s_i, ±limit)) of each group, (G,). Without a limit, −Σ_i R̂_i s_i."""
    score_GK = torch.where(mask_GK, scores_GK, torch.zeros_like(scores_GK))
    gain_GK = weights_GK.detach() * score_GK
    if limit < torch.inf:
        gain_GK = torch.minimum(gain_GK, weights_GK.detach() * score_GK.clamp(-limit, limit))
    return -gain_GK.sum(1)


def log_ratio_penalty(scores_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """½ mean_i s_i² over the judged responses of each group: units of score squared, (G,)."""
    score_GK = torch.where(mask_GK, scores_GK, torch.zeros_like(scores_GK))
    return 0.5 * score_GK.square().sum(1) / mask_GK.sum(1).clamp(min=1)
