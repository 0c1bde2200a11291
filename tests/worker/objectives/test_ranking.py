"""The ranking losses as mathematics, in float64."""

import itertools
import math
from random import Random

import pytest
import torch
from torch import Tensor

from worker.objectives.ranking import LOSSES, TIE, logistic, order_weight, ordered_pairs, pair_counts

Groups = list[tuple[list[float], list[int | None]]]


def tensors(groups: Groups) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, tiers and mask of ragged groups; NaN in every slot without a judged response."""
    width = max(len(scores) for scores, _ in groups)
    scores_GK = torch.full((len(groups), width), math.nan, dtype=torch.float64)
    tiers_GK = torch.zeros(len(groups), width, dtype=torch.long)
    for place, (scores, tiers) in enumerate(groups):
        for slot, (score, tier) in enumerate(zip(scores, tiers, strict=True)):
            if tier is not None:
                scores_GK[place, slot], tiers_GK[place, slot] = score, tier
    return scores_GK.requires_grad_(), tiers_GK, tiers_GK > 0


def constant(value: float, n: int) -> Tensor:
    return torch.full((n,), value, dtype=torch.float64)


def losses(groups: Groups, margin: float = 0.0, weight: float = 1.0) -> list[float]:
    n = len(groups)
    return logistic(*tensors(groups), constant(margin, n), constant(weight, n)).tolist()


def by_hand(scores: list[float], tiers: list[int | None]) -> float:
    pairs = [
        math.log1p(math.exp(-(one - other)))
        for (one, better), (other, worse) in itertools.permutations(zip(scores, tiers, strict=True), 2)
        if better is not None and worse is not None and better < worse
    ]
    return sum(pairs) / len(pairs) if pairs else 0.0


def random_groups(seed: int, n: int = 12) -> Groups:
    rng = Random(seed)
    sizes = [rng.randint(1, 6) for _ in range(n)]
    return [
        ([rng.gauss(0, 2) for _ in range(size)], [rng.choice([None, 1, 1, 2, 3]) for _ in range(size)])
        for size in sizes
    ]


@pytest.mark.parametrize("tiers", [[1, 2], [2, 1, 1], [1, 2, 3, 4], [3, 1, 2, 2, None]])
def test_it_gives_ln_2_when_all_scores_are_equal(tiers: list[int | None]):
    assert losses([([0.7] * len(tiers), tiers)]) == pytest.approx([math.log(2)], abs=1e-15)


def test_it_is_the_pair_loss_for_a_group_of_two():
    better_B, worse_B = torch.randn(2, 50, dtype=torch.float64)
    found = losses([([a, b], [1, 2]) for a, b in zip(better_B.tolist(), worse_B.tolist(), strict=True)])
    assert found == pytest.approx((-torch.nn.functional.logsigmoid(better_B - worse_B)).tolist(), rel=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_over_ordered_pairs_as_counted_by_hand(seed: int):
    groups = random_groups(seed)
    assert losses(groups) == pytest.approx([by_hand(*group) for group in groups], rel=1e-12)


def test_it_has_the_derivative_of_finite_differences():
    groups = [([0.3, -1.2, 2.0], [1, 2, 2]), ([0.1, 0.2, -0.4], [3, 1, 2])]
    scores_GK, tiers_GK, mask_GK = tensors(groups)
    ones_G = constant(1.0, 2)
    for loss in LOSSES.values():
        assert torch.autograd.gradcheck(
            lambda s, loss=loss: loss(s, tiers_GK, mask_GK, 0.5 * ones_G, ones_G), scores_GK
        )


@pytest.mark.parametrize("seed", range(3))
def test_its_gradient_sums_to_zero_in_each_group_and_empty_slots_take_none(seed: int):
    scores_GK, tiers_GK, mask_GK = tensors(random_groups(seed))
    for loss in LOSSES.values():
        n = len(scores_GK)
        (gradient_GK,) = torch.autograd.grad(
            loss(scores_GK, tiers_GK, mask_GK, constant(0.2, n), constant(1.0, n)).sum(), scores_GK
        )
        assert torch.isfinite(gradient_GK).all()
        assert gradient_GK[~mask_GK].eq(0).all()
        assert gradient_GK.sum(1).abs().max() < 1e-15


def test_it_does_not_see_a_constant_added_to_the_scores_of_a_group():
    groups = random_groups(7)
    moved = [([score + 100.0 * place for score in scores], tiers) for place, (scores, tiers) in enumerate(groups)]
    assert losses(moved) == pytest.approx(losses(groups), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [1e4, -1e4, 88.0, -120.0])
def test_it_stays_finite_for_any_lead(lead: float, dtype: torch.dtype):
    scores_GK = torch.tensor([[lead, 0.0]], dtype=dtype, requires_grad=True)
    one_G = torch.ones(1, dtype=dtype)
    loss_G = logistic(scores_GK, torch.tensor([[1, 2]]), torch.ones(1, 2, dtype=torch.bool), 0 * one_G, one_G)
    loss_G.sum().backward()
    assert loss_G.item() == pytest.approx(max(0.0, -lead), abs=1e-6)
    assert torch.isfinite(scores_GK.grad).all()


def test_it_asks_for_a_margin_and_counts_by_weight():
    assert losses([([1.0, 0.0], [1, 2])], margin=1.0) == pytest.approx([math.log(2)])
    assert losses([([1.0, 1.0], [1, 2])], weight=0.25) == pytest.approx([math.log(2) / 4])


def test_it_is_the_same_number_however_the_step_is_cut_up():
    groups = random_groups(3, n=16)

    def mean_and_gradient(cuts: list[Groups]) -> tuple[float, list[float]]:
        parts = [tensors(cut) for cut in cuts]
        whole = sum(order_weight(tiers, mask, constant(1.0, len(tiers))) for _, tiers, mask in parts)
        total, gradient = 0.0, []
        for scores, tiers, mask in parts:
            n = len(tiers)
            loss = logistic(scores, tiers, mask, constant(0.0, n), constant(1.0, n)).sum() / whole
            loss.backward()
            total += loss.item()
            gradient += scores.grad[mask].tolist()
        return total, gradient

    at_once = mean_and_gradient([groups])
    in_parts = mean_and_gradient([groups[:3], groups[3:4], groups[4:]])
    assert in_parts[0] == pytest.approx(at_once[0], rel=1e-14)
    assert in_parts[1] == pytest.approx(at_once[1], rel=1e-12)
    n_ordered = sum(by_hand(*group) > 0 for group in groups)
    assert at_once[0] == pytest.approx(sum(by_hand(*group) for group in groups) / n_ordered)


def test_a_group_without_an_order_weighs_nothing():
    groups: Groups = [([1.0, 5.0], [1, 1]), ([2.0], [1]), ([1.0, 2.0], [1, None]), ([1.0, 0.0], [1, 2])]
    _, tiers_GK, mask_GK = tensors(groups)
    assert losses(groups)[:3] == [0.0, 0.0, 0.0]
    assert float(order_weight(tiers_GK, mask_GK, torch.tensor([1.0, 1.0, 1.0, 0.5]))) == 0.5


def test_ties_make_no_pair():
    pairs_GKK = ordered_pairs(torch.tensor([[1, 2, 2, 3]]), torch.ones(1, 4, dtype=torch.bool))
    assert pairs_GKK.nonzero()[:, 1:].tolist() == [[0, 1], [0, 2], [0, 3], [1, 3], [2, 3]]


def counts(groups: Groups) -> tuple[float, float, int]:
    right, margin, pairs = pair_counts(*tensors(groups))
    return float(right), float(margin), int(pairs)


def test_equal_scores_are_half_right():
    assert counts([([0.0, 0.0, 0.0], [1, 2, 3])]) == (1.5, 0.0, 3)
    assert counts([([TIE / 2, 0.0], [1, 2]), ([0.0, TIE / 2], [1, 2])])[0] == 1.0
    assert counts([([2 * TIE, 0.0], [1, 2]), ([0.0, 2 * TIE], [1, 2])])[0] == 1.0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
def test_accuracy_and_margin_do_not_depend_on_the_batch_size(size: int):
    groups = random_groups(11, n=11)
    parts = [counts(groups[start : start + size]) for start in range(0, len(groups), size)]
    assert [sum(column) for column in zip(*parts, strict=True)] == pytest.approx(list(counts(groups)))
