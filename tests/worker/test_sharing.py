"""Packed batches where a model honours them, padded ones where it does not, and the same numbers from both."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.small import CPU, small_model
from worker import policy
from worker.batches import EncodedGroup
from worker.evaluate import measure
from worker.policy import Kind, Model
from worker.sharing import SHARED, with_shared_prompts

MEASURES = {"policy": policy.logp, "reward": policy.rewards}
KINDS = pytest.mark.parametrize("kind", ["policy", "reward"])
SIZES = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
WIDE = SIZES | {"intermediate_size": 48, "num_key_value_heads": 2, "initializer_range": 0.2}


@pytest.fixture(scope="module")
def ragged(tokenizer: Any) -> list[EncodedGroup]:
    """Two to eight responses, none of them of a length with the next, one of them empty."""
    rng, end = Random(0), tokenizer.eos_token_id

    def ids(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randrange(10, 300) for _ in range(rng.randint(low, high)))

    groups = []
    for size in range(2, 9):
        responses = tuple((*ids(1, 12), end) for _ in range(size))
        groups.append(EncodedGroup(ids(1, 30), responses, tuple(rng.randint(1, 3) for _ in range(size))))
    return [*groups, EncodedGroup(ids(9, 9), ((end,), (*ids(3, 3), end)), (1, 2))]


def both(kind: Kind, tokenizer: Any, groups: list[EncodedGroup], **changes: Any) -> tuple[Model, Model]:
    padded = small_model(kind, tokenizer, **changes)
    packed, words = with_shared_prompts(padded, groups)
    assert words == SHARED
    return padded, packed


def flat(values: list[tuple[float, ...]]) -> list[float]:
    return [value for row in values for value in row]


@KINDS
@pytest.mark.parametrize("key_value_heads", [1, 2])
def test_packed_rows_give_what_padded_rows_give(
    kind: Kind, key_value_heads: int, tokenizer: Any, ragged: list[EncodedGroup]
):
    padded, packed = both(kind, tokenizer, ragged, num_key_value_heads=key_value_heads)
    expected = flat(measure(padded, ragged, MEASURES[kind]))
    assert flat(measure(packed, ragged, MEASURES[kind])) == pytest.approx(expected, abs=1e-4)
    assert max(expected) - min(expected) > 0.1


@KINDS
def test_packed_gradients_are_those_of_padded_rows(kind: Kind, tokenizer: Any, ragged: list[EncodedGroup]):
    models = both(kind, tokenizer, ragged)

    def gradients(model: Model) -> tuple[torch.Tensor, ...]:
        found_R = MEASURES[kind](model, model.batch(ragged))
        return torch.autograd.grad((found_R * torch.arange(len(found_R))).sum(), model.trainable())

    for ours, theirs in zip(gradients(models[1]), gradients(models[0]), strict=True):
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()


@KINDS
def test_what_stands_beside_a_group_and_the_order_of_its_responses_change_nothing(
    kind: Kind, tokenizer: Any, ragged: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    _, packed = both(kind, tokenizer, ragged)
    together = measure(packed, ragged, MEASURES[kind])
    turned = [replace(each, responses=each.responses[::-1], tiers=each.tiers[::-1]) for each in ragged[::-1]]
    monkeypatch.setattr(policy, "MOST_TOKENS", 1)
    alone = measure(packed, turned, MEASURES[kind])
    assert flat([row[::-1] for row in alone[::-1]]) == pytest.approx(flat(together), abs=1e-4)


def prepared(network: Any, tokenizer: Any) -> Model:
    return policy.prepare("policy", network, tokenizer, lora_rank=0, device=CPU)


@pytest.mark.parametrize(
    "network",
    [
        lambda: Qwen3ForCausalLM(Qwen3Config(**WIDE, head_dim=8)),
        lambda: GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4, initializer_range=0.2)),
        lambda: MistralForCausalLM(MistralConfig(**WIDE, sliding_window=None)),
    ],
)
def test_models_with_plain_attention_share_their_prompts(network: Any, tokenizer: Any, ragged: list[EncodedGroup]):
    torch.manual_seed(0)
    model = prepared(network(), tokenizer)
    expected = flat(measure(model, ragged, policy.logp))
    packed, words = with_shared_prompts(model, ragged)
    assert words == SHARED
    assert flat(measure(packed, ragged, policy.logp)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "network",
    [
        lambda: MistralForCausalLM(MistralConfig(**WIDE, sliding_window=8)),
        lambda: BloomForCausalLM(
            BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2)
        ),
        lambda: MambaForCausalLM(
            MambaConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.2)
        ),
    ],
    ids=["window", "bias", "state"],
)
@pytest.mark.filterwarnings("ignore")  # of kernels that Mamba would like to have
def test_models_that_look_elsewhere_get_padded_rows_and_the_run_says_so(
    network: Any, tokenizer: Any, ragged: list[EncodedGroup]
):
    torch.manual_seed(0)
    model = prepared(network(), tokenizer)
    expected = measure(model, ragged, policy.logp)
    same, words = with_shared_prompts(model, ragged)
    assert not same.shares_prompts
    assert words.startswith("each prompt again for each response")
    assert measure(same, ragged, policy.logp) == expected


def test_a_model_with_packed_rows_still_writes_and_is_saved_as_it_was(
    tokenizer: Any, ragged: list[EncodedGroup], tmp_path: Any
):
    padded, packed = both("policy", tokenizer, ragged)
    ids = torch.tensor([[0] * 3 + [20, 21], [30, 31, 32, 33, 34]])
    how = {"attention_mask": (ids > 0).long(), "max_new_tokens": 5, "do_sample": False}
    made = packed.network.generate(ids, **how)
    padded.network.set_attn_implementation("sdpa")
    assert made.tolist() == padded.network.generate(ids, **how).tolist()
    packed.network.save_pretrained(tmp_path)
    assert "tiebreak" not in (tmp_path / "config.json").read_text()
