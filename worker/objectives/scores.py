"""Scores: one number for each response of a group, which a ranking loss then compares.

A reward model's score is what its head says, r_φ(x, a), and needs no function. A policy's score is its implicit reward.

Shape key: G groups, K response slots.
"""

from torch import Tensor


def implicit_reward(policy_logp_GK: Tensor, reference_logp_GK: Tensor, beta: float) -> Tensor:
    """The reward for which the policy would be optimal: β [log π_θ(a|x) − log π_ref(a|x)], in units of reward, (G, K).

    Derivation (Rafailov et al. 2023, arXiv:2305.18290, eq. 3–5). max_π E[r] − β KL(π ‖ π_ref) has the optimum
    π*(a|x) = π_ref(a|x) exp(r(x, a)/β) / Z(x). Solved for the reward: r(x, a) = β log π*(a|x)/π_ref(a|x) + β log Z(x).
    Z(x) is the same for all responses of a prompt, so a ranking loss, which sees differences only, never needs it.

    Log-probabilities are nats, summed over the response's tokens with the end token. The reference takes no gradient.
    Left out: the average over tokens, under which long and short responses weigh the same.
    """
    return beta * (policy_logp_GK - reference_logp_GK.detach())
