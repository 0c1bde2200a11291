"""What is computed on a GPU against the same on a CPU: attention in one call, kernels of our own, steps, a memory that runs out."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3Config, Qwen3ForCausalLM

from tests.small import small_model
from tests.worker.test_attention import RAGGED, random_states, with_mask
from worker import logp, policy
from worker.attention import packed_attention
from worker.batches import EncodedGroup
from worker.evaluate import measure, with_reference
from worker.methods import dpo, read_settings, sft
from worker.policy import Kind, Model
from worker.sharing import SHARED, with_shared_prompts
from worker.steps import train_steps
from worker.thrift import thrifty

GPU = torch.device("cuda")
MEASURES = {"policy": policy.logp, "reward": policy.rewards}
KINDS = pytest.mark.parametrize("kind", ["policy", "reward"])
WIDER = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.1}

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")


def apart(found: Tensor, exact: Tensor) -> float:
    found, exact = found.detach().double().cpu(), exact.detach().double().cpu()
    return float((found - exact).norm() / exact.norm())


def on_gpu(kind: Kind, tokenizer: Any, groups: list[EncodedGroup], precision: str, network: Any = None) -> Model:
    network = network or small_model(kind, tokenizer, **WIDER).network
    model = policy.prepare(kind, network, tokenizer, lora_rank=0, device=GPU)
    model, words = with_shared_prompts(thrifty(model, precision, "off"), groups)
    assert words == SHARED
    return model


def test_attention_in_one_call_is_attention_with_a_mask_in_value_and_gradient():
    exact = [torch.randn(1, heads, RAGGED[-1].end, 16, requires_grad=True) for heads in (4, 2, 2)]
    half = [each.detach().to(GPU, torch.bfloat16).requires_grad_() for each in exact]
    as_many = [exact[0], *(each.repeat_interleave(2, dim=1) for each in exact[1:])]
    theirs, ours = with_mask(as_many, 0.3), packed_attention(*half, RAGGED, 0.3)
    assert apart(ours, theirs) < 1e-2
    d_out = torch.randn_like(theirs)
    expected = torch.autograd.grad(theirs, exact, d_out)
    for one, other in zip(torch.autograd.grad(ours, half, d_out.to(ours)), expected, strict=True):
        assert apart(one, other) < 1e-2


def test_attention_in_float32_goes_through_a_mask():
    states = random_states(torch.float32)
    ours = packed_attention(*(each.to(GPU) for each in states), RAGGED, 0.7)
    assert apart(ours, with_mask(states, 0.7)) < 1e-5


def test_kernels_compute_their_formulas():
    from worker import kernels  # noqa: PLC0415 -- Triton is not everywhere

    def held(ours: Any, theirs: Any, *given: Tensor) -> None:
        found, expected = ours(*given), theirs(*given)
        d_out = torch.randn_like(expected)
        assert apart(found, expected) < 1e-5
        for one, other in zip(
            torch.autograd.grad(found, given, d_out), torch.autograd.grad(expected, given, d_out), strict=True
        ):
            assert apart(one, other) < 1e-5

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, device=GPU, requires_grad=True)

    held(
        lambda x, w: kernels.rms_norm(x, w, 1e-6, torch.float32),
        lambda x, w: functional.rms_norm(x, (x.shape[-1],), w, 1e-6),
        *(normal(2, 700, 896), normal(896)),
    )
    held(kernels.swiglu, lambda a, b: functional.silu(a) * b, normal(3, 7001), normal(3, 7001))
    cos, sin = torch.randn(2, 2, 5, 32, device=GPU).repeat(1, 1, 1, 2)
    half_turn = lambda x: torch.cat((-x[..., 32:], x[..., :32]), -1)  # noqa: E731 -- a formula
    held(
        lambda x: kernels.rotated(x, cos, sin),
        lambda x: x * cos[:, None] + half_turn(x) * sin[:, None],
        normal(2, 7, 5, 64),
    )
    table = 4 * torch.randn(3, 20_001, device=GPU)
    made = table.clone()
    assert apart(kernels.softmax_(made), table.logsumexp(1)) < 1e-6
    assert apart(made, table.softmax(1)) < 1e-5


def test_logits_in_half_precision_have_the_gradient_of_float64():
    hidden, weight = torch.randn(500, 64).bfloat16(), (0.2 * torch.randn(20_000, 64)).bfloat16()
    target, factor = torch.randint(20_000, (500,)), torch.randn(500)
    exact = [each.double().requires_grad_() for each in (hidden, weight)]
    table = (exact[0] @ exact[1].T).log_softmax(-1)
    theirs = table.gather(1, target[:, None])[:, 0]
    expected = torch.autograd.grad((theirs * factor).sum(), exact)
    ours = [hidden.to(GPU).requires_grad_(), weight.float().to(GPU).requires_grad_()]
    found, entropy = logp.token_logp(*ours, None, target.to(GPU))
    assert apart(found, theirs) < 1e-2
    assert apart(entropy, -(table.exp() * table).sum(1)) < 1e-2
    for one, other in zip(torch.autograd.grad((found * factor.to(GPU)).sum(), ours), expected, strict=True):
        assert apart(one, other) < 1e-2


@KINDS
def test_float32_is_that_of_a_cpu(kind: Kind, tokenizer: Any, groups: list[EncodedGroup]):
    theirs, _ = with_shared_prompts(small_model(kind, tokenizer, **WIDER), groups)
    expected = [value for row in measure(theirs, groups, MEASURES[kind]) for value in row]
    ours = on_gpu(kind, tokenizer, groups, "float32")
    assert [value for row in measure(ours, groups, MEASURES[kind]) for value in row] == pytest.approx(
        expected, abs=1e-3
    )


def qwen3(tokenizer: Any) -> Any:
    """With norms of each head's queries and keys."""
    policy.seed_everything(0)
    sizes = {"num_hidden_layers": 2, "intermediate_size": 48, "head_dim": 16, "eos_token_id": tokenizer.eos_token_id}
    return Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokenizer), **sizes, **WIDER))


@pytest.mark.parametrize(
    ("kind", "made", "n_kernels"), [("policy", None, 7), ("reward", None, 7), ("policy", qwen3, 11)]
)
def test_kernels_take_their_places_in_a_network_and_change_rounding_alone(
    kind: Kind, made: Any, n_kernels: int, tokenizer: Any, groups: list[EncodedGroup]
):
    def gradients(model: Model) -> tuple[Tensor, tuple[Tensor, ...]]:
        found_R = MEASURES[kind](model, model.batch(groups))
        weights_R = torch.arange(1, len(found_R) + 1, device=GPU)
        return found_R, torch.autograd.grad((found_R * weights_R).sum(), model.trainable())

    exact, expected = gradients(on_gpu(kind, tokenizer, groups, "float32", made and made(tokenizer)))
    half = on_gpu(kind, tokenizer, groups, "bfloat16", made and made(tokenizer))
    assert sum(isinstance(module.forward, partial) for module in half.network.modules()) == n_kernels
    values, found = gradients(half)
    assert apart(values, exact) < 2e-2
    for one, other in zip(found, expected, strict=True):
        assert apart(one, other) < 8e-2


def test_in_half_precision_a_policy_begins_as_its_reference_and_learns(tokenizer: Any, groups: list[EncodedGroup]):
    model = on_gpu("policy", tokenizer, groups, "auto")
    assert model.precision == torch.bfloat16
    settings = read_settings(dpo, {"max_steps": 20, "groups_per_step": 5, "learning_rate": 0.01})
    steps = list(train_steps(model, dpo, settings, with_reference(model, groups)))
    assert steps[0].figures["largest_log_ratio"] < 1e-3
    assert steps[-1].figures["loss"] < 0.5 * steps[0].figures["loss"]


def test_a_gpu_without_memory_has_the_step_done_again_in_smaller_parts(tokenizer: Any, groups: list[EncodedGroup]):
    most = max(group.tokens() for group in groups)

    def greedy(_: Any, __: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].numel() > most:
            torch.empty(1 << 42, device=GPU)

    model = on_gpu("policy", tokenizer, groups, "auto")
    model.network.base_model.register_forward_pre_hook(greedy, with_kwargs=True)
    how = {"max_steps": 2, "groups_per_step": 5}
    assert list(train_steps(model, sft, read_settings(sft, how), groups))[-1].model.halvings > 0
    with pytest.raises(MemoryError):
        next(train_steps(model, sft, read_settings(sft, how | {"out_of_memory": "fail"}), groups))
