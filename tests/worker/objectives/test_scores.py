import math

import pytest
import torch

from worker.objectives.ranking import LOSSES
from worker.objectives.scores import implicit_reward


def test_a_policy_that_is_its_reference_scores_nothing():
    logp_GK = -100 * torch.rand(4, 3, dtype=torch.float64)
    assert implicit_reward(logp_GK, logp_GK.clone(), 0.1).eq(0).all()


def test_it_gives_dpo_as_worked_by_hand():
    """Log-ratios of torchtune's own test of DPO: margins 0, 10 and 20 in nats, so 0, 1 and 2 times β = 0.1."""
    policy_GK = torch.tensor([[-0.5, -0.1], [-10.0, -30.0], [-1.0, -21.0]], dtype=torch.float64)
    reference_GK = torch.tensor([[-0.5, -0.1], [-10.1, -20.1], [-0.1, -0.1]], dtype=torch.float64)
    scores_GK = implicit_reward(policy_GK, reference_GK, 0.1)
    tiers_GK, one_G = torch.tensor([[1, 2]] * 3), torch.ones(3, dtype=torch.float64)
    loss_G = LOSSES["logistic"](scores_GK, tiers_GK, tiers_GK > 0, 0 * one_G, one_G)
    assert loss_G.tolist() == pytest.approx([math.log1p(math.exp(-lead)) for lead in (0.0, 1.0, 2.0)])


def test_the_better_response_gains_by_beta_times_the_doubt():
    """d loss / d log π(a⁺|x) = −β σ(−β m), eq. 7 of the paper differentiated."""
    policy_GK = torch.tensor([[-3.0, -5.0]], dtype=torch.float64, requires_grad=True)
    reference_GK = torch.tensor([[-4.0, -4.0]], dtype=torch.float64, requires_grad=True)
    beta, one_G = 0.3, torch.ones(1, dtype=torch.float64)
    tiers_GK = torch.tensor([[1, 2]])
    scores_GK = implicit_reward(policy_GK, reference_GK, beta)
    LOSSES["logistic"](scores_GK, tiers_GK, tiers_GK > 0, 0 * one_G, one_G).sum().backward()
    expected = -beta / (1 + math.exp(beta * 2.0))
    assert policy_GK.grad is not None
    assert policy_GK.grad.tolist() == [pytest.approx([expected, -expected])]
    assert reference_GK.grad is None
