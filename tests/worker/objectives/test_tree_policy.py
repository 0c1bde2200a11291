"""What training leads to, with every expectation enumerated: nothing is sampled, so nothing is left to chance."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tree
from tests.scored import minimise
from worker.objectives.evidence import Evidence
from worker.objectives.offline import pairwise_weights, surrogate
from worker.objectives.ranking import LOSSES
from worker.objectives.scores import implicit_reward

BETA, NU = 0.5, 0.8
REFERENCE_PT = tree.draw(1)
REWARD_R = torch.tensor([0.1, 0.9, -0.3, 0.4, -0.8, 1.2, 0.0], dtype=torch.float64)
TARGET_R = tree.optimum(REFERENCE_PT, REWARD_R, BETA)

Outcomes = tuple[Tensor, Tensor, Tensor]


def pairs(probability: Any) -> Outcomes:
    """Every ordered pair as a group, with the probability that somebody says so as its weight."""
    places = list(itertools.permutations(range(len(tree.WORDS)), 2))
    lead = torch.stack([REWARD_R[better] - REWARD_R[worse] for better, worse in places])
    return torch.tensor(places), torch.tensor([[1, 2]]).expand(len(places), 2), probability(lead)


def rankings() -> Outcomes:
    """Every ranking of every three responses, with its probability under Gumbel noise."""
    places = list(itertools.permutations(range(len(tree.WORDS)), 3))
    strength = REWARD_R.exp()
    found = [
        strength[a] / (strength[a] + strength[b] + strength[c]) * strength[b] / (strength[b] + strength[c])
        for a, b, c in places
    ]
    return torch.tensor(places), torch.tensor([[1, 2, 3]]).expand(len(places), 3), torch.stack(found)


def outcomes_with_ties() -> Outcomes:
    """Every pair chosen or tied, with Davidson's probabilities."""
    places = list(itertools.permutations(range(len(tree.WORDS)), 2))
    lead = torch.stack([REWARD_R[one] - REWARD_R[other] for one, other in places])
    whole = (lead / 2).exp() + (-lead / 2).exp() + NU
    chosen = torch.tensor([[1, 2]]).expand(len(places), 2)
    return (
        torch.tensor(places * 2),
        torch.cat([chosen, torch.ones_like(chosen)]),
        torch.cat([(lead / 2).exp() / whole, NU / whole / 2]),  # each tie is listed both ways
    )


PREFERENCES = {
    "logistic": pairs(torch.sigmoid),
    "probit": pairs(lambda lead: torch.special.ndtr(lead / 2**0.5)),
    "plackett_luce": rankings(),
    "davidson": outcomes_with_ties(),
}


def expected_loss(loss: str, scores_R: Tensor, outcomes: Outcomes) -> Tensor:
    """The mean over everything that people might say."""
    responses_GK, tiers_GK, weight_G = outcomes
    mask_GK = torch.ones_like(tiers_GK, dtype=torch.bool)
    evidence = Evidence(tie_weight=NU)
    loss_G = LOSSES[loss](scores_R[responses_GK], tiers_GK, mask_GK, 0 * weight_G, weight_G, evidence)
    return loss_G.sum() / weight_G.sum()


def trained(loss: str, *, with_end: bool = True, lengths_R: Tensor | None = None) -> Tensor:
    """The policy, (7,), after DPO on exact preference probabilities, from the reference."""
    logits_PT = REFERENCE_PT.clone().requires_grad_()
    reference_R = tree.logp(REFERENCE_PT, with_end=with_end)

    def whole() -> Tensor:
        scores_R = implicit_reward(tree.logp(logits_PT, with_end=with_end), reference_R, BETA, lengths_R)
        return expected_loss(loss, scores_R, PREFERENCES[loss])

    minimise([logits_PT], whole, steps=300)
    return tree.logp(logits_PT).exp().detach()


def test_the_tree_is_a_policy():
    assert tree.logp(REFERENCE_PT).exp().sum().item() == pytest.approx(1, abs=1e-14)
    assert set(tree.LENGTHS_R.tolist()) == {1, 2, 3}
    assert (TARGET_R - tree.logp(REFERENCE_PT).exp()).abs().max() > 0.1


def test_no_policy_has_more_reward_under_the_kl_penalty():
    """Climbing from the reference ends at π_ref e^{r/β}/C, whose value is β log C."""
    logits_PT = REFERENCE_PT.clone().requires_grad_()
    least = minimise(
        [logits_PT], lambda: -tree.value(tree.logp(logits_PT).exp(), REFERENCE_PT, REWARD_R, BETA), steps=1000
    )
    whole = (tree.logp(REFERENCE_PT).exp() * (REWARD_R / BETA).exp()).sum()
    torch.testing.assert_close(tree.logp(logits_PT).exp().detach(), TARGET_R, rtol=0, atol=1e-6)
    assert -least == pytest.approx(BETA * whole.log().item(), abs=1e-10)
    assert tree.value(TARGET_R, REFERENCE_PT, REWARD_R, BETA).item() == pytest.approx(-least, abs=1e-10)


def test_the_gradient_of_the_log_probability_is_zero_on_average():
    logits_PT = tree.draw(3).requires_grad_()
    logp_R = tree.logp(logits_PT)
    (slope_PT,) = torch.autograd.grad((logp_R.exp().detach() * logp_R).sum(), logits_PT)
    (other_PT,) = torch.autograd.grad((logp_R.exp().detach() * REWARD_R * tree.logp(logits_PT)).sum(), logits_PT)
    assert slope_PT.abs().max() < 1e-15
    assert other_PT.abs().max() > 0.05


@pytest.mark.parametrize("loss", PREFERENCES)
def test_dpo_on_exact_preferences_reaches_the_optimum_of_reward_under_the_kl_penalty(loss: str):
    torch.testing.assert_close(trained(loss), TARGET_R, rtol=0, atol=1e-6)


def test_a_missing_end_token_is_caught():
    assert (trained("logistic", with_end=False) - TARGET_R).abs().max() > 0.02


def test_an_average_over_length_is_caught():
    """It ends elsewhere, and where: at π_ref e^{|a|(r + c)/β}, with the c for which the probabilities sum to one."""
    found_R = trained("logistic", lengths_R=tree.LENGTHS_R)
    assert (found_R - TARGET_R).abs().max() > 0.02
    tilted_R = tree.logp(REFERENCE_PT) + tree.LENGTHS_R * REWARD_R / BETA
    low, high = -10.0, 10.0
    for _ in range(100):
        middle = (low + high) / 2
        too_much = (tilted_R + tree.LENGTHS_R * middle / BETA).exp().sum() > 1
        low, high = (low, middle) if too_much else (middle, high)
    torch.testing.assert_close(found_R, (tilted_R + tree.LENGTHS_R * low / BETA).exp(), rtol=0, atol=1e-6)


def test_the_optimum_of_offline_grpo_with_pairwise_weights_is_the_same():
    """At π_ref e^{r/β}/C its gradient is zero, and nowhere near it is."""
    responses_GK, tiers_GK, weight_G = PREFERENCES["logistic"]
    mask_GK = torch.ones_like(tiers_GK, dtype=torch.bool)

    def slope(policy_R: Tensor) -> float:
        scores_GK = (BETA * (policy_R.log() - tree.logp(REFERENCE_PT)))[responses_GK].requires_grad_()
        weights_GK = pairwise_weights(
            lambda scores: LOSSES["logistic"](scores, tiers_GK, mask_GK, 0 * weight_G, weight_G), scores_GK
        )
        (gradient_GK,) = torch.autograd.grad(surrogate(scores_GK, weights_GK, mask_GK).sum(), scores_GK)
        return float(
            torch.zeros(7, dtype=torch.float64).index_put_((responses_GK,), gradient_GK, accumulate=True).abs().max()
        )

    assert slope(TARGET_R) < 1e-14
    assert slope(tree.logp(REFERENCE_PT).exp()) > 0.1


def test_a_constant_added_to_the_rewards_of_the_prompt_changes_no_preference_and_no_optimum():
    moved_R = tree.optimum(REFERENCE_PT, REWARD_R + 3.0, BETA)
    torch.testing.assert_close(moved_R, TARGET_R, rtol=0, atol=1e-15)


def test_plain_rewards_come_back_up_to_a_constant():
    """Seven free numbers instead of a policy, under each model of choice."""
    for loss, outcomes in PREFERENCES.items():
        scores_R = torch.zeros(7, dtype=torch.float64, requires_grad=True)
        minimise([scores_R], lambda loss=loss, outcomes=outcomes, s=scores_R: expected_loss(loss, s, outcomes))
        found_R = scores_R.detach() - scores_R.detach().mean()
        torch.testing.assert_close(found_R, REWARD_R - REWARD_R.mean(), rtol=0, atol=1e-6)
