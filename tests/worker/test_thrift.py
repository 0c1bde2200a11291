"""Half precision and activations computed again: less memory, the same training."""

from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import BadInput
from tests.small import CPU, small_model
from worker import policy
from worker.batches import EncodedGroup
from worker.evaluate import measure, with_reference
from worker.methods import dpo, read_settings
from worker.policy import Kind, Model
from worker.sharing import SHARED, with_shared_prompts
from worker.steps import train_steps
from worker.thrift import dtype_of, recompute_layers, thrifty

KINDS = pytest.mark.parametrize("kind", ["policy", "reward"])
MEASURES = {"policy": policy.logp, "reward": policy.rewards}


def gradients(model: Model, groups: list[EncodedGroup]) -> tuple[list[float], tuple[Tensor, ...]]:
    found_R = MEASURES[model.kind](model, model.batch(groups))
    return found_R.tolist(), torch.autograd.grad((found_R * torch.arange(len(found_R))).sum(), model.trainable())


@KINDS
@pytest.mark.parametrize("packs", [True, False])
def test_layers_that_compute_again_give_the_same_gradient_and_no_dropout(
    kind: Kind, packs: bool, tokenizer: Any, groups: list[EncodedGroup]
):
    plain = small_model(kind, tokenizer, attention_dropout=0.5)
    plain = with_shared_prompts(plain, groups)[0] if packs else plain
    values, expected = gradients(plain, groups)
    made: list[int] = []
    plain.network.base_model.layers[0].mlp.register_forward_pre_hook(lambda *_: made.append(1))
    again_values, found = gradients(thrifty(plain, "float32", "on"), groups)
    assert len(made) == 2, "once forward and once for the gradient"
    assert again_values == values
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_network_without_layers_to_compute_again_says_so():
    with pytest.raises(BadInput, match="leave activation_checkpointing off"):
        recompute_layers(torch.nn.Linear(2, 2))


def test_the_precision_is_that_of_the_hardware_unless_it_is_named():
    assert dtype_of("auto", CPU) == torch.float32
    assert dtype_of("bfloat16", CPU) == torch.bfloat16


@KINDS
@pytest.mark.parametrize("packs", [True, False])
def test_half_precision_keeps_weights_sums_and_gradients_wide(
    kind: Kind, packs: bool, tokenizer: Any, groups: list[EncodedGroup]
):
    model = small_model(kind, tokenizer)
    exact = measure(model, groups, MEASURES[kind])
    half = thrifty(model, "bfloat16", "off")
    if packs:
        half, words = with_shared_prompts(half, groups)
        assert words == SHARED
    found_R = MEASURES[kind](half, half.batch(groups))
    assert found_R.dtype == torch.float32
    wide = torch.tensor([value for row in exact for value in row])
    assert 0 < (found_R - wide).abs().max() < 0.1 * wide.abs().max()
    found_R.sum().backward()
    assert all(weights.dtype == weights.grad.dtype == torch.float32 for weights in half.trainable())


def test_in_half_precision_a_policy_begins_as_its_reference(tokenizer: Any, groups: list[EncodedGroup]):
    model = thrifty(small_model("policy", tokenizer), "bfloat16", "off")
    model, _ = with_shared_prompts(model, groups)
    settings = read_settings(dpo, {"max_steps": 3, "groups_per_step": 5, "learning_rate": 0.01})
    steps = list(train_steps(model, dpo, settings, with_reference(model, groups)))
    assert steps[0].figures["largest_log_ratio"] < 1e-3
    assert steps[-1].figures["loss"] < steps[0].figures["loss"]
