"""A base model in 4 bits: refused in words where it cannot be, and published as what was trained."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from app.errors import BadInput
from tests.small import CPU, GROUPS, network
from worker import four_bit, launch, policy
from worker.base_model import Order, start_model
from worker.batches import EncodedGroup
from worker.evaluate import measure, with_reference
from worker.four_bit import FOUR_BIT
from worker.methods import dpo, read_settings
from worker.policy import Model
from worker.steps import train_steps
from worker.tokens import encode


@pytest.mark.parametrize(
    ("lora_rank", "processes", "has_gpu", "field", "words"),
    [
        (0, 1, True, "lora_rank", "cannot learn"),
        (4, 2, True, "processes", "one process"),
        (4, 1, False, "base_weights", "needs a GPU"),
        (4, 1, True, "base_weights", r"needs the package bitsandbytes .*'tiebreak\[four-bit\]'"),
    ],
)
def test_it_is_refused_where_it_cannot_be(
    lora_rank: int,
    processes: int,
    has_gpu: bool,
    field: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv(launch.COUNT, str(processes))
    with pytest.raises(BadInput, match=words) as refused:
        start_model(Order("starter", "policy", lora_rank, FOUR_BIT), (), tmp_path, CPU)
    assert refused.value.field == field


def test_linear_layers_are_loaded_as_nf4_with_rounded_scales() -> None:
    told = four_bit.how_to_load(CPU)
    assert told["device_map"] == {"": CPU}
    config = told["quantization_config"]
    assert (config.load_in_4bit, config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == (True, "nf4", True)


@pytest.fixture
def quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package would do, which not every machine has: here weights are rounded to quarters."""

    def in_full(data: Any, state: Any) -> Any:
        return data.float().reshape(state.shape) / 4

    if importlib.util.find_spec("bitsandbytes"):
        monkeypatch.setattr("bitsandbytes.functional.dequantize_4bit", in_full)
        return
    module = ModuleType("bitsandbytes.functional")
    module.dequantize_4bit = in_full  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


def rounded(plain: Any) -> Any:
    """Every linear layer but the last in quarters, a column of numbers as the package has them, with their shape beside."""
    for layer in plain.base_model.modules():
        if isinstance(layer, nn.Linear):
            codes = nn.Parameter((4 * layer.weight.detach()).round().to(torch.int8).flatten(), requires_grad=False)
            codes.quant_state = SimpleNamespace(shape=layer.weight.shape)  # type: ignore[attr-defined]
            layer.weight = codes
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.2)
    plain.is_loaded_in_4bit = True
    plain.hf_quantizer = SimpleNamespace(remove_quantization_config=lambda network: delattr(network, "hf_quantizer"))
    four_bit.compute_alike(plain)
    return plain


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
def test_adapters_are_merged_into_the_rounded_weights_that_they_were_trained_on(
    quarters: None, tokenizer: Any, tmp_path: Path
) -> None:
    plain = network("policy", tokenizer, attention_bias=True)
    n_parameters = plain.num_parameters()
    model = policy.prepare("policy", rounded(plain), tokenizer, lora_rank=4, device=CPU)
    assert model.n_parameters == n_parameters + sum(each.numel() for each in model.trainable())
    trained_and_published(model, tmp_path)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # as above
def test_what_is_published_is_what_was_trained(tokenizer: Any, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="the one package that holds weights in 4 bits")
    plain = network("policy", tokenizer, hidden_size=64, intermediate_size=128)
    plain.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    model = policy.load("policy", tmp_path / "base", lora_rank=4, device=CPU, base_weights=FOUR_BIT)
    assert model.n_parameters == plain.num_parameters() + sum(each.numel() for each in model.trainable())
    trained_and_published(model, tmp_path)


def trained_and_published(model: Model, folder: Path) -> None:
    """Before the first step it is its own reference, and plain `transformers` say of its folder what it says."""
    groups: list[EncodedGroup] = encode(GROUPS, model.tokenizer, 64)[0]
    settings = read_settings(dpo, {"lora_rank": 4, "learning_rate": 0.01, "max_steps": 3})
    start = measure(model, groups, policy.logp)
    groups = with_reference(model, groups)
    assert next(train_steps(model, dpo, settings, groups)).figures["largest_log_ratio"] < 1e-6
    end = measure(model, groups, policy.logp)
    policy.merged(model).save_pretrained(folder / "made")
    model.tokenizer.save_pretrained(folder / "made")
    published = AutoModelForCausalLM.from_pretrained(folder / "made")
    assert getattr(published.config, "quantization_config", None) is None
    assert {each.dtype for each in published.parameters()} == {torch.float32}
    again = measure(policy.load("policy", folder / "made", lora_rank=0, device=CPU), groups, policy.logp)
    flat = [torch.tensor([value for some in each for value in some]) for each in (start, end, again)]
    torch.testing.assert_close(flat[2], flat[1], rtol=1e-4, atol=1e-4)
    assert (flat[1] - flat[0]).abs().max() > 0.1
