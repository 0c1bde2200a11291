"""Offline GRPO: push each judged response up or down by a weight that its whole group decides.

The loss is −Σ R̂_i s_i with the implicit reward s and weights R̂ that take no gradient and sum to zero in each group;
`objectives/offline.py` derives the weights, says why the theory is weaker than that of GRPO on the policy's own samples, and
what bounds the loss.

With `pairwise` weights the gradient equals DPO's with the same settings, so that is DPO seen from the other side, and the
value of the loss means nothing. `rank` and `score` weights do not fade as the order is learnt: for them the clip and the
penalty are on unless they are set to 0; pairwise weights limit themselves and take neither.

Where scores come from for `score`: from the file that brought the responses, or from one of our reward checkpoints. Groups
in which a judged response has no score, or all have the same, are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from app.errors import BadInput
from worker.batches import Batch
from worker.groups import Group
from worker.methods.preference import (
    TIES_AS_EVIDENCE,
    ImplicitReward,
    implicit_ranking_loss,
    implicit_scores,
    implicit_tally,
    order_share,
    ordered,
)
from worker.methods.settings import IMPORTED, Choices, setting
from worker.methods.tally import Tally
from worker.objectives.offline import log_ratio_penalty, pairwise_weights, rank_weights, score_weights, surrogate
from worker.policy import Kind, Model, logp

NAME, TITLE = "grpo_offline", "Offline GRPO on judged groups"
OBJECTIVE = (
    r"\mathcal{L}(\theta) = -\sum_i \hat{R}_i \, s_i, \qquad \sum_i \hat{R}_i = 0, \qquad "
    r"s_i = \beta \log \frac{\pi_\theta(a_i \mid x)}{\pi_{\mathrm{ref}}(a_i \mid x)}"
)
KIND: Kind = "policy"
NEEDS = "order"
TIES_TEACH: Choices = ({"weights": "score"}, *({"weights": "pairwise"} | each for each in TIES_AS_EVIDENCE))
LEARNING_RATE = 5e-5


@dataclass(frozen=True, kw_only=True)
class Settings(ImplicitReward):
    weights: str = setting(
        "pairwise",
        choices=("pairwise", "rank", "score"),
        help="What a response is pushed by: what the chosen loss would (DPO's gradient), its rank, or its centred score.",
    )
    scores: str = setting(
        IMPORTED, help="For score weights only: imported, or the name of a reward checkpoint that scores the responses."
    )
    clip: float = setting(
        10.0,
        low=0.0,
        high=10_000.0,
        help="For rank and score weights: nats of log-ratio to the reference after which nothing pulls on; 0 is no clip.",
    )
    penalty: float = setting(
        1.0,
        low=0.0,
        high=1000.0,
        help="For rank and score weights: weight of half the mean squared implicit reward, which holds it; 0 is none.",
    )

    def scorer(self) -> str:
        return self.scores if self.weights == "score" else IMPORTED

    def counts_ties(self) -> bool:
        """Ranks push tied responses apart from others alone, whatever a loss would say of them."""
        return self.weights == "pairwise" and super().counts_ties()


def reference(settings: Settings) -> str:
    """Whose log-probabilities the scores are held against."""
    return settings.reference


def examples(groups: Sequence[Group], settings: Settings) -> list[Group]:
    """The groups that make a comparison; for imported scores, those in which they tell judged responses apart.

    Raises BadInput where scores are wanted and none were imported.
    """
    if settings.weights != "score":
        return ordered(groups, settings)
    several = [group for group in groups if sum(tier is not None for tier in group.tiers) > 1]
    if settings.scorer() != IMPORTED:
        return several
    if not (apart := [group for group in several if _tells_apart(group)]):
        raise BadInput(
            "No group of this dataset has imported scores that tell its responses apart; name a reward checkpoint in scores, "
            "or choose other weights.",
            field="scores",
        )
    return apart


def _tells_apart(group: Group) -> bool:
    found = {score for score, tier in zip(group.scores, group.tiers, strict=False) if tier is not None}
    return len(found) > 1 and None not in found


def share(batch: Batch, settings: Settings) -> Tensor:
    """What the summed loss is divided by: the weight of the groups, as far as they make a comparison, shape ()."""
    return batch.weight_G.sum() if settings.weights == "score" else order_share(batch, settings)


def loss(model: Model, batch: Batch, settings: Settings) -> Tally:
    """−Σ R̂ s of each group with its weight, with the rails that these weights need.

    ``silent_groups`` is the share of groups that push nothing, as those whose responses a reward model scores alike.
    """
    said = implicit_scores(logp(model, batch), batch, settings)
    scores_GK = said.scores_GK
    weights_GK = group_weights(scores_GK, batch, settings)
    if settings.weights == "pairwise":
        loss_G = surrogate(scores_GK, weights_GK, batch.mask_GK)
    else:
        limit = settings.beta * settings.clip or torch.inf
        loss_G = surrogate(scores_GK, weights_GK, batch.mask_GK, limit)
        loss_G = loss_G + settings.penalty * log_ratio_penalty(scores_GK, batch.mask_GK)
    tally = implicit_tally(batch.weight_G * loss_G, said, batch, settings)
    tally.means["silent_groups"] = (weights_GK.eq(0).all(1).sum(), len(weights_GK))
    return tally


def group_weights(scores_GK: Tensor, batch: Batch, settings: Settings) -> Tensor:
    """R̂ of each response, without its group's weight: (G, K)."""
    if settings.weights == "rank":
        return rank_weights(batch.tiers_GK, batch.mask_GK)
    if settings.weights == "score":
        return score_weights(batch.score_GK, batch.mask_GK)
    unweighted = replace(batch, weight_G=torch.ones_like(batch.weight_G))
    return pairwise_weights(partial(implicit_ranking_loss, batch=unweighted, settings=settings), scores_GK)
