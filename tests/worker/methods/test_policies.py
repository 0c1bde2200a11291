"""DPO and offline GRPO on a real model: every loss, scores of every kind, and what their names promise."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import BadInput
from tests.small import CPU, GROUPS, group, small_model
from worker.batches import Batch, EncodedGroup, collate
from worker.evaluate import policy_figures, with_reference
from worker.methods import Method, dpo, grpo_offline, read_settings
from worker.methods.tally import Tally
from worker.objectives.ranking import LOSSES
from worker.policy import Model, logp
from worker.steps import train_steps
from worker.tokens import encode

POLICIES = pytest.mark.parametrize("method", [dpo, grpo_offline], ids=["dpo", "grpo_offline"])
SCORED = [
    replace(each, scores=tuple(float(place * place) for place in range(len(each.responses))), strength=1.0 + number)
    for number, each in enumerate([*GROUPS, group("x", ["as good", "as this one"], [1, 1], outcome="tie")])
]


@pytest.fixture(scope="module")
def groups(tokenizer: Any) -> list[EncodedGroup]:
    """With log π_ref, scores and strengths; the last one is a tie."""
    start = small_model("policy", tokenizer)
    start.network.double()
    return with_reference(start, encode(SCORED, tokenizer, 64)[0])


@pytest.fixture(scope="module")
def away(tokenizer: Any) -> Model:
    """A policy that has left its reference."""
    model = small_model("policy", tokenizer, seed=9)
    model.network.double()
    return model


def told(method: Method, model: Model, groups: Sequence[EncodedGroup], **given: Any) -> tuple[Tally, list[Tensor]]:
    """The mean loss over these groups as a tally, and its gradient."""
    settings = read_settings(method, given)
    batch = wide(collate(groups, model.tokenizer.pad_token_id, CPU), groups)
    tally = method.loss(model, batch, settings)
    tally.loss = tally.loss / method.share(batch, settings)
    return tally, list(torch.autograd.grad(tally.loss, model.trainable()))


def wide(batch: Batch, groups: Sequence[EncodedGroup]) -> Batch:
    """The same numbers in float64, with references as they were measured."""
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    floats: dict[str, Any] = {name: value.double() for name, value in tensors.items() if value.dtype == torch.float32}
    if all(each.reference for each in groups):
        measured = torch.tensor([value for each in groups for value in each.reference], dtype=torch.float64)
        floats["reference_GK"][batch.group_R, batch.slot_R] = measured
    return replace(batch, **floats)


def log_ratios(model: Model, groups: Sequence[EncodedGroup]) -> Iterator[list[float]]:
    batch = collate(groups, model.tokenizer.pad_token_id, CPU)
    found = iter(logp(model, batch).tolist())
    for each in groups:
        yield [next(found) - reference for reference in each.reference]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("tokens", ["sum", "mean"])
@pytest.mark.parametrize(
    "given", [{}, {"ties": "half", "label_smoothing": 0.1, "strength_margin": 0.2, "sft_weight": 0.3}]
)
def test_offline_grpo_with_pairwise_weights_has_dpos_gradient(
    loss: str, tokens: str, given: dict[str, Any], away: Model, groups: list[EncodedGroup]
):
    settings = {"loss": loss, "tokens": tokens, "beta": 0.3, **given}
    _, expected = told(dpo, away, groups, **settings)
    _, found = told(grpo_offline, away, groups, **settings)
    scale = max(float(each.abs().max()) for each in expected)
    assert scale > 1e-3
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10 * max(1.0, scale))


@pytest.mark.parametrize("tokens", ["sum", "mean"])
def test_ipo_is_what_its_name_says(tokens: str, away: Model, groups: list[EncodedGroup]):
    """(h − 1/(2β))² with h the difference of log-ratios, or of their means over tokens: two different numbers."""
    beta, pairs = 0.4, [each for each in groups if len(each.responses) == 2 and each.tiers != (1, 1)]
    by_hand = []
    for each, ratios in zip(pairs, log_ratios(away, pairs), strict=True):
        lengths = [len(one) if tokens == "mean" else 1 for one in each.responses]
        good, bad = (ratios[each.tiers.index(tier)] / lengths[each.tiers.index(tier)] for tier in (1, 2))
        by_hand.append((good - bad - 1 / (2 * beta)) ** 2)
    tally, _ = told(dpo, away, pairs, loss="squared", tokens=tokens, beta=beta)
    assert tally.loss.item() == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("tokens", ["sum", "mean"])
def test_a_policy_that_is_its_reference_has_no_opinion(
    loss: str, tokens: str, tokenizer: Any, groups: list[EncodedGroup]
):
    start = small_model("policy", tokenizer)
    start.network.double()
    pairs = [each for each in groups if sorted(each.tiers) == [1, 2]]
    tally, _ = told(dpo, start, pairs, loss=loss, tokens=tokens, beta=0.2)
    known = {"hinge": 1.0, "squared": 0.25 / 0.2**2, "davidson": math.log(3)}
    assert tally.furthest == pytest.approx(0, abs=1e-12)
    assert tally.loss.item() == pytest.approx(known.get(loss, math.log(2)), abs=1e-12)
    assert (tally.right, tally.pairs) == (len(pairs) / 2, len(pairs))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "given",
    [
        {"ties": "half", "label_smoothing": 0.1, "sft_weight": 0.5},
        {"weights": "pairwise", "tokens": "mean"},
        {"weights": "rank"},
        {"weights": "score", "label_smoothing": 0.1, "smoothing": "robust"},
    ],
    ids=["dpo", "pairwise", "rank", "score"],
)
def test_every_loss_is_the_same_however_the_batch_is_cut_up(
    loss: str, given: dict[str, Any], away: Model, groups: list[EncodedGroup]
):
    """Groups of two to four responses of all lengths: at once, and one by one divided by the whole step's share."""
    method: Method = grpo_offline if "weights" in given else dpo
    settings = read_settings(method, {"loss": loss, **given})
    weighted = [replace(each, weight=0.5 + place) for place, each in enumerate(groups)]
    pad = away.tokenizer.pad_token_id
    parts = [wide(collate([each], pad, CPU), [each]) for each in weighted]
    whole = sum(method.share(part, settings) for part in parts)
    summed = sum(method.loss(away, part, settings).loss for part in parts) / whole
    at_once, slopes = told(method, away, weighted, loss=loss, **given)
    assert summed.item() == pytest.approx(at_once.loss.item(), rel=1e-10)
    for ours, theirs in zip(torch.autograd.grad(summed, away.trainable()), slopes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


@POLICIES
def test_a_policy_without_a_penalty_is_refused(method: Method):
    with pytest.raises(BadInput, match="beta must lie between") as refused:
        read_settings(method, {"beta": 0})
    assert refused.value.field == "beta"


@pytest.mark.parametrize("given", [{"reference": " "}, {"reference": 7}, {"reference": "x" * 201}, {"ties": "maybe"}])
@POLICIES
def test_words_that_cannot_be_are_refused_by_name(method: Method, given: dict[str, Any]):
    with pytest.raises(BadInput) as refused:
        read_settings(method, given)
    assert refused.value.field == next(iter(given))


def test_without_a_reference_dpo_is_simpo(away: Model, groups: list[EncodedGroup]):
    """−log σ(β/|a⁺| log π(a⁺) − β/|a⁻| log π(a⁻) − γ), eq. 6 of its paper."""
    beta, gamma, pairs = 2.0, 0.5, [each for each in groups if sorted(each.tiers) == [1, 2]]
    bare = [replace(each, reference=()) for each in pairs]
    by_hand = []
    zero = [replace(each, reference=(0.0, 0.0)) for each in pairs]
    for each, logps in zip(pairs, log_ratios(away, zero), strict=True):
        good, bad = (logps[at] / len(each.responses[at]) for at in (each.tiers.index(1), each.tiers.index(2)))
        by_hand.append(math.log1p(math.exp(-(beta * (good - bad) - gamma))))
    tally, _ = told(dpo, away, bare, reference="none", tokens="mean", beta=beta, target_margin=gamma)
    assert tally.loss.item() == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-9)
    assert tally.furthest is None


@pytest.mark.parametrize("smoothing", ["conservative", "robust"])
def test_label_smoothing_acts_by_the_setting_and_by_its_name(smoothing: str, away: Model, groups: list[EncodedGroup]):
    beta, flip, by_hand, plain = 0.3, 0.2, [], []
    pairs = [each for each in groups if sorted(each.tiers) == [1, 2]]
    for each, ratios in zip(pairs, log_ratios(away, pairs), strict=True):
        lead = beta * (ratios[each.tiers.index(1)] - ratios[each.tiers.index(2)])
        said, opposite = math.log1p(math.exp(-lead)), math.log1p(math.exp(lead))
        mixed = (1 - flip) * said + flip * opposite
        unbiased = ((1 - flip) * said - flip * opposite) / (1 - 2 * flip)
        by_hand.append(mixed if smoothing == "conservative" else unbiased)
        plain.append(said)
    tally, _ = told(dpo, away, pairs, beta=beta, label_smoothing=flip, smoothing=smoothing)
    assert tally.loss.item() == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-9)
    assert abs(sum(by_hand) - sum(plain)) > 0.01


def test_a_stronger_judgment_asks_for_a_larger_lead(away: Model, groups: list[EncodedGroup]):
    (pair,) = [each for each in groups if each.strength == 3.0]
    by_strength = told(dpo, away, [pair], strength_margin=0.25)[0].loss.item()
    assert by_strength == pytest.approx(told(dpo, away, [pair], target_margin=0.75)[0].loss.item(), rel=1e-9)
    assert by_strength > told(dpo, away, [pair])[0].loss.item() + 0.05


def test_what_is_told_of_the_best_is_their_log_ratio_to_the_reference(away: Model, groups: list[EncodedGroup]):
    best = [
        ratio
        for each, ratios in zip(groups, log_ratios(away, groups), strict=True)
        for ratio, tier in zip(ratios, each.tiers, strict=True)
        if tier == 1
    ]
    tally, _ = told(dpo, away, groups)
    value, count = tally.means["best_log_ratio"]
    assert (value, count) == (pytest.approx(sum(best), rel=1e-6), len(best))
    assert abs(value) > 1


@pytest.mark.parametrize("nu", [0.2, 3.0])
def test_davidson_is_told_how_likely_a_tie_is(nu: float, away: Model, groups: list[EncodedGroup]):
    tie, (ratios,) = groups[-1], log_ratios(away, groups[-1:])
    lead = 0.3 * (ratios[0] - ratios[1])
    by_hand = math.log((math.exp(lead / 2) + math.exp(-lead / 2) + nu) / nu)
    tally, _ = told(dpo, away, [tie], loss="davidson", beta=0.3, tie_weight=nu)
    assert tally.loss.item() == pytest.approx(by_hand, rel=1e-9)


def test_the_sft_term_adds_the_cross_entropy_of_the_best(away: Model, groups: list[EncodedGroup]):
    (pair,) = [each for each in groups if each.strength == 1.0]
    zero = replace(pair, reference=(0.0, 0.0))
    (logps,) = log_ratios(away, [zero])
    plain, with_term = (told(dpo, away, [pair], sft_weight=weight)[0].loss.item() for weight in (0.0, 0.5))
    assert with_term - plain == pytest.approx(-0.5 * logps[0] / len(pair.responses[0]), rel=1e-9)


@pytest.mark.parametrize("weights", ["rank", "score"])
def test_rails_are_on_by_default_where_weights_do_not_limit_themselves(
    weights: str, away: Model, groups: list[EncodedGroup]
):
    """From the very same batch, with the reference moved so far that responses seem lost or won by thousands of nats."""
    gone = [
        replace(
            each, reference=tuple(value + 3000.0 * tier for value, tier in zip(each.reference, each.tiers, strict=True))
        )
        for each in groups
    ]
    held = told(grpo_offline, away, gone, weights=weights)[0].loss.item()
    clipped = told(grpo_offline, away, gone, weights=weights, penalty=0.0)[0].loss.item()
    free = told(grpo_offline, away, gone, weights=weights, penalty=0.0, clip=0.0)[0].loss.item()
    assert held > clipped >= -16 * 1.0  # |R̂| ≤ 4.5 for scores to 9, of at most four responses, with β times clip = 1
    assert free < clipped - 20


def test_the_clip_is_in_nats_of_log_ratio_whatever_beta_is(away: Model, groups: list[EncodedGroup]):
    """Of pairs that are won by far, each response is held at β times the clip, and pushed by its half."""
    won = [
        replace(each, reference=tuple(1000.0 * (2 * tier - 3) for tier in each.tiers))
        for each in groups
        if each.tiers in {(1, 2), (2, 1)}
    ]
    for beta in (0.1, 0.5):
        tally, _ = told(grpo_offline, away, won, weights="rank", penalty=0.0, beta=beta, clip=4.0)
        assert tally.loss.item() == pytest.approx(-4.0 * beta)


@pytest.mark.parametrize("weights", ["rank", "score"])
def test_a_constant_added_to_the_scores_of_a_prompt_changes_nothing(
    weights: str, away: Model, groups: list[EncodedGroup]
):
    moved = [replace(each, scores=tuple(score + 50.0 for score in each.scores)) for each in groups]
    (tally, slopes), (other, other_slopes) = (
        told(grpo_offline, away, some, weights=weights) for some in (groups, moved)
    )
    assert other.loss.item() == pytest.approx(tally.loss.item(), rel=1e-9)
    for ours, theirs in zip(slopes, other_slopes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_a_group_of_ties_is_taken_only_where_ties_count():
    tie, bad = SCORED[-1], group("x", ["a", "b"], [1, 1], outcome="all_bad")
    takes = {
        (loss, ties): dpo.examples([tie, bad], read_settings(dpo, {"loss": loss, "ties": ties}))  # type: ignore[arg-type]
        for loss in ("logistic", "davidson")
        for ties in ("left_out", "half")
    }
    assert takes[("logistic", "left_out")] == []
    assert takes[("logistic", "half")] == takes[("davidson", "left_out")] == takes[("davidson", "half")] == [tie]


def test_score_weights_take_the_groups_that_scores_tell_apart():
    some = [
        group("a", ["b", "c"], [1, 2], scores=(1.0, 2.0)),
        group("a", ["b", "c"], [1, 2], scores=(1.0, None)),
        group("a", ["b", "c", "d"], [1, 2, None], scores=(1.0, 1.0, 2.0)),
        group("a", ["b", "c"], [1, 2]),
        group("a", ["b", "c"], [1, 1], outcome="tie", scores=(0.0, 1.0)),
        group("a", ["b"], [1], scores=(0.0,)),
    ]
    settings = read_settings(grpo_offline, {"weights": "score"})
    assert grpo_offline.examples(some, settings) == [some[0], some[4]]  # type: ignore[arg-type]
    asked = read_settings(grpo_offline, {"weights": "score", "scores": "helpful-reward@v2"})
    assert grpo_offline.examples(some, asked) == some[:5]  # type: ignore[arg-type]
    assert (settings.scorer(), asked.scorer()) == ("imported", "helpful-reward@v2")
    assert read_settings(grpo_offline, {"scores": "helpful-reward"}).scorer() == "imported"


def test_groups_that_push_nothing_are_told(away: Model, groups: list[EncodedGroup]):
    """A reward model may score all responses of a group alike; the last group is a tie."""
    level = [replace(groups[0], scores=(0.5, 0.5)), *groups[1:]]
    for weights, silent in (("score", 1), ("rank", 1), ("pairwise", 1)):
        tally, _ = told(grpo_offline, away, level, weights=weights)
        assert tally.means["silent_groups"] == (silent, len(groups))
    assert told(grpo_offline, away, groups, weights="score")[0].means["silent_groups"] == (0, len(groups))


def test_training_with_rails_learns_the_order_and_stays_near_its_reference(tokenizer: Any, groups: list[EncodedGroup]):
    """The same sixty steps by rank: held, the implicit rewards end near n R̂/κ; free, they run away."""
    furthest = {}
    for name, rails in {"held": {}, "free": {"clip": 0.0, "penalty": 0.0}}.items():
        model = small_model("policy", tokenizer)
        model.network.double()
        settings = read_settings(
            grpo_offline, {"weights": "rank", "max_steps": 60, "learning_rate": 0.005, "groups_per_step": 6, **rails}
        )
        for _ in train_steps(model, grpo_offline, settings, groups):
            pass
        assert policy_figures(model, groups)["accuracy"] == 1.0
        furthest[name] = max(abs(ratio) for some in log_ratios(model, groups) for ratio in some) * settings.beta
    assert furthest["held"] < 2.0
    assert furthest["free"] > 2 * furthest["held"]
