"""What all methods that learn from an order share: their settings, which groups they use, their count, and scores → loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.preference import has_order
from worker.batches import Batch
from worker.groups import Group
from worker.methods.settings import NO_REFERENCE, START, Choices, Training, setting
from worker.methods.tally import Tally
from worker.objectives.anchors import best_cross_entropy
from worker.objectives.evidence import Evidence, best_responses, order_weight, ordered_pairs
from worker.objectives.ranking import LOSSES, counts_ties, pair_counts
from worker.objectives.scores import implicit_reward

TIES_AS_EVIDENCE: Choices = ({"loss": "davidson"}, {"ties": "half"})
"""The choices under which a tie counts (`ranking.counts_ties`), for whoever must know without asking."""


@dataclass(frozen=True, kw_only=True)
class Preference(Training):
    loss: str = setting(
        "logistic",
        choices=tuple(LOSSES),
        help="How scores are held against the order: logistic is Bradley–Terry, squared is IPO for a policy, plackett_luce "
        "reads a ranking as choices, davidson is logistic with ties as an outcome of their own.",
    )
    ties: str = setting(
        "left_out",
        choices=("left_out", "half"),
        help="Whether a tie teaches nothing or counts half to each side; davidson always uses ties, in its own way.",
    )
    tie_weight: float = setting(
        1.0, low=0.01, high=100.0, help="For davidson only: ν, how likely a tie between equals is; 1 makes it a third."
    )
    label_smoothing: float = setting(
        0.0, low=0.0, high=0.49, help="Probability that a judgment says the opposite of what is true; 0 trusts all."
    )
    smoothing: str = setting(
        "conservative",
        choices=("conservative", "robust"),
        help="With label_smoothing: conservative (cDPO) mixes both labels, robust (rDPO) is unbiased but noisier.",
    )
    target_margin: float = setting(
        0.0, low=0.0, high=100.0, help="Lead in units of score that every better response should have; 0 asks for none."
    )
    strength_margin: float = setting(
        0.0, low=0.0, high=100.0, help="Further lead for each step of a judgment's strength (1 to 3), where it has one."
    )

    def counts_ties(self) -> bool:
        """Whether a group of nothing but ties teaches something."""
        return counts_ties(self.loss, self.ties)


@dataclass(frozen=True, kw_only=True)
class ImplicitReward(Preference):
    """Settings of methods whose score is β log π/π_ref."""

    beta: float = setting(
        0.1, low=0.001, high=100.0, help="How strongly to stay near the reference; 2 or more with tokens = mean."
    )
    tokens: str = setting(
        "sum",
        choices=("sum", "mean"),
        help="Log-ratios summed over a response's tokens, or their mean: squared with mean is ipo_mean (as in TRL), with "
        "sum ipo_sum (as in the paper).",
    )
    reference: str = setting(
        START, help="What the policy is held against: start (the base model), a checkpoint's name, or none."
    )
    sft_weight: float = setting(
        0.0, low=0.0, high=100.0, help="Weight of the cross-entropy per token of the best responses beside the loss."
    )


@dataclass(frozen=True, eq=False)
class Implicit:
    """What a policy says about a batch, before any loss."""

    logp_GK: Tensor
    tokens_GK: Tensor
    scores_GK: Tensor


def ordered(groups: Sequence[Group], settings: Preference) -> list[Group]:
    """Groups with a comparison: two tiers at least, or two responses of one tier where ties count."""
    with_ties = settings.counts_ties()
    return [group for group in groups if has_order(group.tiers) or (with_ties and _is_tie(group))]


def _is_tie(group: Group) -> bool:
    """Whether people said of two responses that they are as good. All bad alike says nothing about which is better."""
    return group.outcome != "all_bad" and sum(tier is not None for tier in group.tiers) > 1


def order_share(batch: Batch, settings: Preference) -> Tensor:
    """The divisor of a summed ranking loss: the weight of the groups that make a comparison, shape ()."""
    return order_weight(batch.tiers_GK, batch.mask_GK, batch.weight_G, with_ties=settings.counts_ties())


def ranking_loss(scores_GK: Tensor, batch: Batch, settings: Preference) -> Tensor:
    """The chosen loss of these scores with the chosen reading of judgments, each group with its weight: (G,)."""
    margin_G = settings.target_margin + settings.strength_margin * batch.strength_G
    is_robust = settings.smoothing == "robust"
    evidence = Evidence(settings.ties, settings.label_smoothing, is_robust, settings.tie_weight)
    return LOSSES[settings.loss](scores_GK, batch.tiers_GK, batch.mask_GK, margin_G, batch.weight_G, evidence)


def implicit_ranking_loss(scores_GK: Tensor, batch: Batch, settings: ImplicitReward) -> Tensor:
    """The same for implicit rewards: the squared loss is divided by β², which makes it IPO's (`ranking.squared`), (G,)."""
    loss_G = ranking_loss(scores_GK, batch, settings)
    return loss_G / settings.beta**2 if settings.loss == "squared" else loss_G


def implicit_scores(logp_R: Tensor, batch: Batch, settings: ImplicitReward) -> Implicit:
    """Log-probabilities of the rows as implicit rewards of the groups."""
    logp_GK, tokens_GK = batch.grouped(logp_R), batch.grouped(batch.tokens_R.to(logp_R.dtype))
    reference_GK = None if settings.reference == NO_REFERENCE else batch.reference_GK
    lengths_GK = tokens_GK if settings.tokens == "mean" else None
    return Implicit(logp_GK, tokens_GK, implicit_reward(logp_GK, reference_GK, settings.beta, lengths_GK))


def implicit_tally(loss_G: Tensor, said: Implicit, batch: Batch, settings: ImplicitReward) -> Tally:
    """The loss with the SFT term, if any, and what is measured beside it.

    ``best_log_ratio`` is the mean of log π/π_ref over the best responses, in nats. That it falls while the margin grows is
    the nature of these losses; ``sft_weight`` works against it.
    """
    if settings.sft_weight:
        told = (said.logp_GK, said.tokens_GK, batch.tiers_GK, batch.mask_GK, batch.weight_G)
        loss_G = loss_G + settings.sft_weight * best_cross_entropy(*told)
    tally = tallied(loss_G, said.scores_GK, batch)
    if settings.reference != NO_REFERENCE:
        ratio_GK = torch.where(
            batch.mask_GK, said.logp_GK.detach() - batch.reference_GK, torch.zeros_like(said.logp_GK)
        )
        tally.furthest = (ratio_GK / said.tokens_GK.clamp(min=1)).abs().max()
        best_GK = best_responses(batch.tiers_GK, batch.mask_GK)
        tally.means["best_log_ratio"] = (
            torch.where(best_GK, ratio_GK, torch.zeros_like(ratio_GK)).sum(),
            best_GK.sum(),
        )
    return tally


def tallied(loss_G: Tensor, scores_GK: Tensor, batch: Batch) -> Tally:
    """The groups' losses summed, with the sums for accuracy and margin of these scores.

    ``chosen_score`` and ``rejected_score`` are means over the ordered pairs' better and worse responses; their difference is
    the margin.
    """
    right, margin, pairs = pair_counts(scores_GK, batch.tiers_GK, batch.mask_GK)
    tally = Tally(loss_G.sum(), right, margin, pairs)
    pairs_GKK = ordered_pairs(batch.tiers_GK, batch.mask_GK)
    known_GK = torch.where(batch.mask_GK, scores_GK.detach(), torch.zeros_like(scores_GK)).double()
    tally.means["chosen_score"] = ((known_GK * pairs_GKK.sum(2)).sum(), pairs)
    tally.means["rejected_score"] = ((known_GK * pairs_GKK.sum(1)).sum(), pairs)
    return tally
