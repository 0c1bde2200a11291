"""What holds the level of scores, which a ranking loss leaves free."""

import math

import pytest
import torch

from tests.scored import constant, random_groups, tensors
from worker.objectives.anchors import best_cross_entropy, centring


def test_centring_is_the_squared_sum_of_a_pair():
    scores_GK, tiers_GK, mask_GK = tensors([([1.5, -0.25], [1, 2]), ([1.0, 1.0], [1, 1]), ([3.0], [1])])
    found_G = centring(scores_GK, tiers_GK, mask_GK, torch.tensor([1.0, 0.5, 1.0], dtype=torch.float64))
    assert found_G.tolist() == [1.5625, 2.0, 0.0]


def test_they_have_the_derivative_of_finite_differences():
    scores_GK, tiers_GK, mask_GK = tensors([([0.3, -1.2, 1.9], [1, 2, 2]), ([0.1, 0.25], [3, 1]), ([0.5, 0.5], [1, 1])])
    weight_G, tokens_GK = (
        torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64),
        torch.tensor([[3, 1, 2], [2, 5, 0], [1, 4, 0]]),
    )
    assert torch.autograd.gradcheck(lambda s: centring(s, tiers_GK, mask_GK, weight_G), scores_GK)
    assert torch.autograd.gradcheck(lambda s: best_cross_entropy(s, tokens_GK, tiers_GK, mask_GK, weight_G), scores_GK)


def test_centring_of_a_group_is_about_its_level():
    groups = [group for group in random_groups(1, n=30) if sum(tier is not None for tier in group[1]) > 1]
    found_G = centring(*tensors(groups), constant(1.0, len(groups)))
    for found, (scores, tiers) in zip(found_G.tolist(), groups, strict=True):
        kept = torch.tensor([score for score, tier in zip(scores, tiers, strict=True) if tier is not None]).double()
        n, mean = len(kept), kept.mean()
        spread = (kept - mean).square().sum()
        assert found == pytest.approx(float(4 * mean**2 + 2 * (n - 2) * spread / (n * (n - 1))), abs=1e-5)


def test_only_the_best_responses_are_made_likely_each_token_alike():
    logp_GK = torch.tensor([[-6.0, -2.0, -9.0], [-4.0, -100.0, math.nan]], dtype=torch.float64, requires_grad=True)
    tokens_GK = torch.tensor([[3, 1, 2], [2, 5, 0]])
    tiers_GK = torch.tensor([[1, 1, 2], [2, 3, 0]])
    weight_G = torch.tensor([1.0, 3.0], dtype=torch.float64)
    found_G = best_cross_entropy(logp_GK, tokens_GK, tiers_GK, tiers_GK > 0, weight_G)
    found_G.sum().backward()
    assert found_G.tolist() == [2.0, 6.0]
    assert logp_GK.grad is not None
    assert logp_GK.grad.flatten().tolist() == pytest.approx([-1 / 6, -0.5, 0, -1.5, 0, 0])
