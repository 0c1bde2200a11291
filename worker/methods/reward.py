"""Reward model: learn a number for each response that agrees with the order people gave.

The score is a linear head on the last token's hidden state, r_φ(x, a); the loss compares the scores of a group, as
`objectives/ranking.py` derives it (Ouyang et al. 2022, arXiv:2203.02155, eq. 1). All responses of a prompt go through the
model in one batch and count as one group: shuffled pairs of the same responses overfit within an epoch (ibid., section 3.5).

Scores mean something only as differences within a prompt. Left out: centring them, margins from the strength of a judgment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from worker.batches import Batch
from worker.groups import Group
from worker.methods.preference import Preference, order_share, ordered, ranking_tally
from worker.methods.settings import NO_REFERENCE
from worker.methods.tally import Tally
from worker.policy import Kind, Model, rewards

NAME, TITLE = "reward", "Reward model"
KIND: Kind = "reward"
NEEDS = "order"
LEARNING_RATE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Settings(Preference):
    pass


def reference(settings: Settings) -> str:
    """Whose log-probabilities the scores are held against."""
    del settings
    return NO_REFERENCE


def examples(groups: Sequence[Group], settings: Settings) -> list[Group]:
    """The groups that have an order."""
    del settings
    return ordered(groups)


def share(batch: Batch, settings: Settings) -> Tensor:
    """What the summed loss is divided by: the weight of the groups that have an order, shape ()."""
    del settings
    return order_share(batch)


def loss(model: Model, batch: Batch, settings: Settings) -> Tally:
    """Ranking loss of the head's scores, nats, summed over groups; margins are in units of score."""
    return ranking_tally(batch.grouped(rewards(model, batch)), batch, settings)
