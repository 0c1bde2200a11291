"""What all methods that learn from an order share: which groups they use, their count, and scores → loss and sums."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.preference import has_order
from worker.batches import Batch
from worker.groups import Group
from worker.methods.settings import Training, setting
from worker.methods.tally import Tally
from worker.objectives.ranking import LOSSES, order_weight, pair_counts


@dataclass(frozen=True, kw_only=True)
class Preference(Training):
    loss: str = setting("logistic", choices=tuple(LOSSES), help="How scores are held against the order people gave.")


def ordered(groups: Sequence[Group]) -> list[Group]:
    """Groups with at least two tiers. Ties alone, and groups said to be all bad alike, make no tuple."""
    return [group for group in groups if has_order(group.tiers)]


def order_share(batch: Batch) -> Tensor:
    """The divisor of a summed ranking loss: the weight of the groups that have an order, shape ()."""
    return order_weight(batch.tiers_GK, batch.mask_GK, batch.weight_G)


def ranking_tally(scores_GK: Tensor, batch: Batch, settings: Preference) -> Tally:
    """The ranking loss of these scores, summed over groups, with the sums for accuracy and margin.

    The loss asks for no minimal margin; the strength of a judgment is stored but not used yet.
    """
    no_margin_G = torch.zeros_like(batch.weight_G)
    loss_G = LOSSES[settings.loss](scores_GK, batch.tiers_GK, batch.mask_GK, no_margin_G, batch.weight_G)
    right, margin, pairs = pair_counts(scores_GK, batch.tiers_GK, batch.mask_GK)
    return Tally(loss_G.sum(), float(right), float(margin), int(pairs))
