"""Reward model: learn a number for each response that agrees with the order people gave.

The score is a linear head on the last token's hidden state, r_φ(x, a); the loss compares the scores of a group, as
`objectives/ranking.py` derives it (Ouyang et al. 2022, arXiv:2203.02155, eq. 1). All responses of a prompt go through the
model in one batch and count as one group: shuffled pairs of the same responses overfit within an epoch (ibid., section 3.5).

Scores mean something only as differences within a prompt; `centring` adds c · mean (r_i + r_j)² over a group's pairs, which
holds their level near zero without touching their order (`objectives/anchors.py`).

The base model may be a policy, whose new head begins at zero and has no opinion, or a reward checkpoint, whose head goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from worker.batches import Batch
from worker.groups import Group
from worker.methods.preference import TIES_AS_EVIDENCE, Preference, order_share, ordered, ranking_loss, tallied
from worker.methods.settings import NO_REFERENCE, setting
from worker.methods.tally import Tally
from worker.objectives.anchors import centring
from worker.policy import Kind, Model, rewards

NAME, TITLE = "reward", "Reward model"
OBJECTIVE = r"\mathcal{L}(\varphi) = -\frac{1}{|\{i \succ j\}|} \sum_{i \succ j} \log \sigma\bigl(r_\varphi(x, a_i) - r_\varphi(x, a_j)\bigr)"
KIND: Kind = "reward"
NEEDS = "order"
TIES_TEACH = TIES_AS_EVIDENCE
LEARNING_RATE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Settings(Preference):
    centring: float = setting(
        0.0,
        low=0.0,
        high=10.0,
        help="Weight of the squared sum of two scores, which holds their level near 0; try 0.01.",
    )


def reference(settings: Settings) -> str:
    """Whose log-probabilities the scores are held against."""
    del settings
    return NO_REFERENCE


def examples(groups: Sequence[Group], settings: Settings) -> list[Group]:
    """The groups that make a comparison."""
    return ordered(groups, settings)


def share(batch: Batch, settings: Settings) -> Tensor:
    """What the summed loss is divided by: the weight of the groups that make a comparison, shape ()."""
    return order_share(batch, settings)


def loss(model: Model, batch: Batch, settings: Settings) -> Tally:
    """Ranking loss of the head's scores, summed over groups; margins are in units of score."""
    scores_GK = batch.grouped(rewards(model, batch))
    loss_G = ranking_loss(scores_GK, batch, settings)
    if settings.centring:
        loss_G = loss_G + settings.centring * centring(scores_GK, batch.tiers_GK, batch.mask_GK, batch.weight_G)
    return tallied(loss_G, scores_GK, batch)
