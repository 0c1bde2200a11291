"""Scores: one number for each response of a group, which a ranking loss then compares.

A reward model's score is what its head says, r_φ(x, a), and needs no function. A policy's score is its implicit reward.

Shape key: G groups, K response slots.
"""

from torch import Tensor


def implicit_reward(
    policy_logp_GK: Tensor, reference_logp_GK: Tensor | None, beta: float, tokens_GK: Tensor | None = None
) -> Tensor:
    """The reward for which the policy would be optimal: β [log π_θ(a|x) − log π_ref(a|x)], in units of reward, (G, K).

    Derivation (Rafailov et al. 2023, arXiv:2305.18290, eq. 3–5). max_π E[r] − β KL(π ‖ π_ref) has the optimum
    π*(a|x) = π_ref(a|x) exp(r(x, a)/β) / Z(x). Solved for the reward: r(x, a) = β log π*(a|x)/π_ref(a|x) + β log Z(x).
    Z(x) is the same for all responses of a prompt, so a ranking loss, which sees differences only, never needs it.

    Log-probabilities are nats, summed over the response's tokens with the end token. The reference takes no gradient.

    With ``tokens_GK``, the number of each response's tokens with its end token, the score is the average over tokens: long
    responses then weigh no more than short ones. It is no longer the reward of the problem above: its optimum is
    π_ref exp(|a| (r + c)/β) with c such that it sums to 1, in which length tilts the policy.

    Without a reference (None) the score is β log π_θ(a|x), on average over tokens and with a target margin the score of SimPO
    (Meng et al. 2024, arXiv:2405.14734, eq. 6). Nothing then holds the policy near its start but the learning rate.
    """
    ratio_GK = policy_logp_GK if reference_logp_GK is None else policy_logp_GK - reference_logp_GK.detach()
    return beta * (ratio_GK if tokens_GK is None else ratio_GK / tokens_GK.clamp(min=1))
