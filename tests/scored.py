"""Groups of scores and tiers as the tensors that ranking losses take, all in float64."""

import math
from random import Random
from typing import Any

import torch
from torch import Tensor

from worker.objectives.evidence import PLAIN, Evidence
from worker.objectives.ranking import LOSSES

Group = tuple[list[float], list[int | None]]
Groups = list[Group]
READINGS = {
    "plain": PLAIN,
    "half": Evidence("half", tie_weight=0.7),
    "conservative": Evidence("half", 0.1, tie_weight=0.7),
    "robust": Evidence("half", 0.2, robust=True, tie_weight=0.7),
}


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


def losses(
    groups: Groups, loss: str = "logistic", evidence: Evidence = PLAIN, margin: float = 0.0, weight: float = 1.0
) -> list[float]:
    n = len(groups)
    found: list[float] = LOSSES[loss](*tensors(groups), constant(margin, n), constant(weight, n), evidence).tolist()
    return found


def gradient(groups: Groups, loss: str, evidence: Evidence = PLAIN, margin: float = 0.0) -> tuple[Tensor, Tensor]:
    """The gradient of the summed loss with respect to the scores, and where a response was judged."""
    scores_GK, tiers_GK, mask_GK = tensors(groups)
    n = len(groups)
    total = LOSSES[loss](scores_GK, tiers_GK, mask_GK, constant(margin, n), constant(1.0, n), evidence).sum()
    (gradient_GK,) = torch.autograd.grad(total, scores_GK)
    return gradient_GK, mask_GK


def random_groups(seed: int, n: int = 12) -> Groups:
    """Ragged, some with ties, some without any order, some with a response that nobody judged."""
    rng = Random(seed)
    sizes = [rng.randint(1, 6) for _ in range(n)]
    return [
        ([rng.gauss(0, 2) for _ in range(size)], [rng.choice([None, 1, 1, 2, 3]) for _ in range(size)])
        for size in sizes
    ]


def minimise(weights: list[Tensor], loss: Any, steps: int = 200) -> float:
    """Bring a smooth function of these tensors to its minimum, to about the last digit."""
    search = torch.optim.LBFGS(
        weights, max_iter=steps, tolerance_grad=1e-11, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def again() -> Tensor:
        search.zero_grad()
        value: Tensor = loss()
        value.backward()
        return value

    search.step(again)
    return loss().item()
