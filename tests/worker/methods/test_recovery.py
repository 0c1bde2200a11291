"""A reward model finds the rewards again that judgments came from."""

import itertools
import math
from random import Random
from typing import Any

import pytest

from tests.scored import minimise
from tests.small import CPU, group, small_model
from worker.batches import EncodedGroup, collate
from worker.evaluate import measure
from worker.methods import read_settings, reward
from worker.policy import Model, rewards
from worker.tokens import encode

LATENT = {"What is quick?": [1.2, -0.7, 0.1, 0.6], "Say hello": [-1.5, 0.9, 0.3, 0.0]}
RESPONSES = ["the fox", "a dog that sleeps", "hello", "one two three"]


def said(share: Any) -> list[Any]:
    """Each ordered pair of responses to each prompt, weighted by how often people say so."""
    return [
        group(prompt, [RESPONSES[one], RESPONSES[other]], [1, 2], weight=share(latent[one] - latent[other]))
        for prompt, latent in LATENT.items()
        for one, other in itertools.permutations(range(4), 2)
        if share(latent[one] - latent[other])
    ]


def fitted(groups: list[EncodedGroup], tokenizer: Any, steps: int, **given: Any) -> Model:
    model = small_model("reward", tokenizer)
    model.network.double()
    settings = read_settings(reward, given)
    batch = collate(groups, tokenizer.pad_token_id, CPU)
    minimise(model.trainable(), lambda: reward.loss(model, batch, settings).loss / reward.share(batch, settings), steps)
    return model


def scores(model: Model, tokenizer: Any) -> list[tuple[float, ...]]:
    asked, _ = encode([group(prompt, RESPONSES, [1, 2, 3, 4]) for prompt in LATENT], tokenizer, 64)
    return measure(model, asked, rewards)


@pytest.mark.parametrize(
    ("loss", "share"),
    [
        ("logistic", lambda lead: 1 / (1 + math.exp(-lead))),
        ("probit", lambda lead: 0.5 * math.erfc(-lead / 2)),
    ],
)
def test_exact_preferences_give_the_latent_rewards_up_to_a_constant_per_prompt(loss: str, share: Any, tokenizer: Any):
    groups, _ = encode(said(share), tokenizer, 64)
    model = fitted(groups, tokenizer, 400, loss=loss)
    for found, latent in zip(scores(model, tokenizer), LATENT.values(), strict=True):
        shift = sum(found) / 4 - sum(latent) / 4
        assert [score - shift for score in found] == pytest.approx(latent, abs=5e-3)


def test_a_planted_bradley_terry_model_is_found_in_sampled_judgments(tokenizer: Any):
    """300 noisy judgments of each pair: every order comes out, differences to within about two standard errors."""
    draw = Random(5)
    counted = {}

    def often(lead: float) -> float:
        return counted.setdefault(lead, sum(draw.random() < 1 / (1 + math.exp(-lead)) for _ in range(300)))

    groups, _ = encode(said(often), tokenizer, 64)
    for found, latent in zip(scores(fitted(groups, tokenizer, 200), tokenizer), LATENT.values(), strict=True):
        assert sorted(range(4), key=lambda at: found[at]) == sorted(range(4), key=lambda at: latent[at])
        leads = [(found[i] - found[j], latent[i] - latent[j]) for i, j in itertools.combinations(range(4), 2)]
        assert [ours for ours, _ in leads] == pytest.approx([theirs for _, theirs in leads], abs=0.35)


def test_centring_holds_the_level_and_shrinks_the_differences_a_little(tokenizer: Any):
    groups, _ = encode(said(lambda lead: 1 / (1 + math.exp(-lead))), tokenizer, 64)
    free, held = (scores(fitted(groups, tokenizer, 200, centring=weight), tokenizer) for weight in (0.0, 0.01))
    for found, latent in zip(held, LATENT.values(), strict=True):
        middle = sum(found) / 4
        assert middle == pytest.approx(0, abs=0.02)
        assert [score - middle + sum(latent) / 4 for score in found] == pytest.approx(latent, abs=0.2)
    assert any(abs(sum(found) / 4) > 0.05 for found in free)
