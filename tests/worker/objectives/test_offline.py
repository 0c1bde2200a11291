"""Offline GRPO: weights that sum to zero, DPO's gradient where it is promised, and rails that hold the loss."""

import math

import pytest
import torch

from tests.scored import READINGS, constant, gradient, random_groups, tensors
from worker.objectives.evidence import Evidence
from worker.objectives.offline import log_ratio_penalty, pairwise_weights, rank_weights, score_weights, surrogate
from worker.objectives.ranking import LOSSES

DIVERSE = random_groups(5, n=20)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("evidence", READINGS.values(), ids=READINGS)
def test_with_pairwise_weights_its_gradient_is_that_of_the_ranking_loss(loss: str, evidence: Evidence):
    scores_GK, tiers_GK, mask_GK = tensors(DIVERSE)
    one_G = constant(1.0, len(DIVERSE))
    weights_GK = pairwise_weights(
        lambda scores: LOSSES[loss](scores, tiers_GK, mask_GK, 0.1 * one_G, one_G, evidence), scores_GK
    )
    (found_GK,) = torch.autograd.grad(surrogate(scores_GK, weights_GK, mask_GK).sum(), scores_GK)
    expected_GK, _ = gradient(DIVERSE, loss, evidence, margin=0.1)
    assert not weights_GK.requires_grad
    torch.testing.assert_close(found_GK, expected_GK, rtol=0, atol=1e-12)


@pytest.mark.parametrize("limit", [math.inf, 0.7])
def test_it_has_the_derivative_of_finite_differences(limit: float):
    """Of the surrogate with its penalty, at scores on both sides of the clip and none at its edge."""
    scores_GK, _, mask_GK = tensors([([0.3, -1.2, 1.9], [1, 2, 2]), ([0.1, -0.25], [3, 1])])
    weights_GK = torch.tensor([[0.5, -0.75, 0.25], [0.5, -0.5, 0.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda s: surrogate(s, weights_GK, mask_GK, limit) + 0.3 * log_ratio_penalty(s, mask_GK), scores_GK
    )


def test_rank_weights_are_the_pairwise_logistic_ones_of_equal_scores():
    scores_GK, tiers_GK, mask_GK = tensors(DIVERSE)
    one_G = constant(1.0, len(DIVERSE))
    level_GK = torch.where(mask_GK, torch.zeros_like(scores_GK), scores_GK)
    expected_GK = pairwise_weights(
        lambda scores: LOSSES["logistic"](scores, tiers_GK, mask_GK, 0 * one_G, one_G), level_GK
    )
    torch.testing.assert_close(rank_weights(tiers_GK, mask_GK).double(), expected_GK, rtol=0, atol=1e-7)
    assert rank_weights(torch.tensor([[1, 2, 3]]), torch.ones(1, 3, dtype=torch.bool))[0].tolist() == pytest.approx(
        [1 / 3, 0, -1 / 3]
    )


def test_score_weights_are_centred_and_do_not_see_a_constant_per_prompt():
    quality_GK, _, mask_GK = tensors(DIVERSE)
    weights_GK = score_weights(quality_GK.detach(), mask_GK)
    moved_GK = score_weights(quality_GK.detach() + torch.arange(len(DIVERSE))[:, None], mask_GK)
    assert weights_GK.sum(1).abs().max() < 1e-15
    assert weights_GK[~mask_GK].eq(0).all()
    torch.testing.assert_close(moved_GK, weights_GK, rtol=0, atol=1e-14)
    pair_GK = score_weights(torch.tensor([[1.0, 0.0, math.nan]]), torch.tensor([[True, True, False]]))
    assert pair_GK.tolist() == [[0.25, -0.25, 0.0]]


def test_a_group_with_an_unknown_score_is_left_alone():
    weights_GK = score_weights(torch.tensor([[1.0, math.nan], [2.0, 1.0]]), torch.ones(2, 2, dtype=torch.bool))
    assert weights_GK.tolist() == [[0.0, 0.0], [0.25, -0.25]]


def test_weights_take_no_gradient():
    scores_GK = torch.tensor([[0.5, -1.0]], requires_grad=True)
    weights_GK = torch.tensor([[0.25, -0.25]], requires_grad=True)
    surrogate(scores_GK, weights_GK, torch.ones(1, 2, dtype=torch.bool), limit=0.7).sum().backward()
    assert (scores_GK.grad is None, weights_GK.grad is None) == (False, True)


def test_groups_whose_scores_hardly_differ_weigh_little():
    """Divided by the deviation, both groups would weigh the same."""
    quality_GK = torch.tensor([[1.0, 0.0], [0.5, 0.49]])
    weights_GK = score_weights(quality_GK, torch.ones(2, 2, dtype=torch.bool))
    assert (weights_GK[0].abs().sum() / weights_GK[1].abs().sum()).item() == pytest.approx(100, rel=1e-4)


def far(*, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores from hardly to hopelessly far from 0, the weights of a ranking, and which slots hold a response."""
    torch.manual_seed(seed)
    scores_GK = (
        torch.randn(400, 4, dtype=torch.float64) * 10 ** torch.linspace(-1, 12, 400, dtype=torch.float64)[:, None]
    )
    tiers_GK = torch.tensor([[1, 2, 2, 0]]).expand(400, 4)
    weights_GK = rank_weights(tiers_GK, tiers_GK > 0).double()
    return torch.where(tiers_GK > 0, scores_GK, torch.nan), weights_GK, tiers_GK > 0


def test_without_rails_the_loss_falls_without_end():
    scores_GK, weights_GK, mask_GK = far()
    assert surrogate(scores_GK, weights_GK, mask_GK).min() < -1e10


def test_the_clip_bounds_the_loss_and_lets_what_went_astray_come_back():
    scores_GK, weights_GK, mask_GK = far()
    limit = 0.7
    clipped_G = surrogate(scores_GK, weights_GK, mask_GK, limit)
    assert clipped_G.min() >= -limit * weights_GK.abs().sum(1).max() - 1e-12
    assert clipped_G.max() > 1e8  # the wrong way is not clipped
    pair_GK = torch.tensor([[0.6, 0.8], [-5.0, 5.0], [5.0, -5.0]], dtype=torch.float64, requires_grad=True)
    push_GK = torch.tensor([[0.5, -0.5]], dtype=torch.float64).expand(3, 2)
    surrogate(pair_GK, push_GK, torch.ones(3, 2, dtype=torch.bool), limit).sum().backward()
    assert pair_GK.grad is not None
    assert pair_GK.grad.tolist() == [[-0.5, 0.5], [-0.5, 0.5], [0.0, 0.0]]


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_the_penalty_bounds_the_loss(strength: float):
    scores_GK, weights_GK, mask_GK = far()
    loss_G = surrogate(scores_GK, weights_GK, mask_GK) + strength * log_ratio_penalty(scores_GK, mask_GK)
    bound_G = -mask_GK.sum(1) * weights_GK.square().sum(1) / (2 * strength)
    assert (loss_G >= bound_G - 1e-12).all()
    best_GK = torch.where(mask_GK, 3 * weights_GK / strength, torch.nan)
    least_G = surrogate(best_GK, weights_GK, mask_GK) + strength * log_ratio_penalty(best_GK, mask_GK)
    torch.testing.assert_close(least_G, bound_G)


def test_with_score_weights_and_a_penalty_of_one_it_is_least_squares_on_the_centred_score():
    scores_GK, _, mask_GK = tensors([([0.3, -0.2, 1.0], [1, 2, 2]), ([0.1, 0.4], [1, 2])])
    quality_GK = torch.tensor([[5.0, 1.0, 3.0], [0.0, 2.0, math.nan]], dtype=torch.float64)
    centred_GK = torch.tensor([[2.0, -2.0, 0.0], [-1.0, 1.0, 0.0]], dtype=torch.float64)
    weights_GK = score_weights(quality_GK, mask_GK)
    found = (surrogate(scores_GK, weights_GK, mask_GK) + log_ratio_penalty(scores_GK, mask_GK)).sum()
    residual_GK = torch.where(mask_GK, scores_GK - centred_GK, torch.zeros_like(centred_GK))
    squares = (0.5 * residual_GK.square().sum(1) / mask_GK.sum(1)).sum()
    ours, theirs = (torch.autograd.grad(each, scores_GK)[0] for each in (found, squares))
    torch.testing.assert_close(ours, theirs)
