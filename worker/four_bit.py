"""A base model held in 4 bits under adapters that learn, and merged with them in full.

The source is QLoRA (Dettmers et al. 2023, arXiv:2305.14314): the weights of linear layers are rounded to NF4, 16 values that are
the quantiles of a normal distribution, with a scale for each 64 of them that is rounded too (half a bit a weight in
all). They never change; gradients go through them to adapters in float32. Embeddings, norms and the output layer stay as they are.

What is published is what was trained: the rounded weights, written in full, with the adapters added. Adapters merged into the
weights before they were rounded would be another model, and so would their sum rounded again, as `peft` merges.

Left out: several processes, since `processes.py` cuts weights by their rows and these have none; paged optimizers.
"""

import importlib.util
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.errors import BadInput
from worker.processes import count

FULL, FOUR_BIT = BASE_WEIGHTS = ("full", "4-bit")


def refuse_what_cannot_be(lora_rank: int) -> None:
    """Raises BadInput that says what 4 bits need."""
    if not lora_rank:
        raise BadInput("Weights in 4 bits cannot learn: give lora_rank, or leave base_weights full.", field="lora_rank")
    if count() > 1:
        raise BadInput("A base model in 4 bits is for one process: leave processes at 1.", field="processes")
    if not torch.cuda.is_available():
        raise BadInput("A base model in 4 bits needs a GPU, and this trainer has none.", field="base_weights")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BadInput(
            "A base model in 4 bits needs the package bitsandbytes on the trainer's machine: pip install "
            "'tiebreak[four-bit]', in a checkout -e '.[four-bit]'.",
            field="base_weights",
        )


def how_to_load(device: torch.device) -> dict[str, Any]:
    """What `from_pretrained` is told besides the rest."""
    from transformers import BitsAndBytesConfig  # noqa: PLC0415 -- what most runs do without

    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    return {"quantization_config": config, "device_map": {"": device}}


class _Product(torch.autograd.Function):
    """Inputs times weights that are written in full for the moment, here and again for the gradient: (…, in) → (…, out)."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, weights: Any) -> Tensor:
        ctx.weights = weights
        return functional.linear(given, in_full(weights).to(given.dtype))

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, None]:
        return d_out @ in_full(ctx.weights).to(d_out.dtype), None


def compute_alike(network: Any) -> None:
    """Let every layer in 4 bits compute the same with and without a gradient.

    The package has kernels of its own for when there is none, whose rounding is another: a policy in training would then differ
    from its reference before anything was learnt.
    """
    for layer in network.modules():
        if is_rounded(layer):
            layer.forward = partial(_multiply, layer)


def _multiply(layer: Any, given: Tensor) -> Tensor:
    product: Tensor = _Product.apply(given, layer.weight)  # type: ignore[no-untyped-call]  # torch does not type it
    return product if layer.bias is None else product + layer.bias.to(product.dtype)


def is_rounded(layer: Any) -> bool:
    return getattr(getattr(layer, "weight", None), "quant_state", None) is not None


def numel(weights: Tensor) -> int:
    """How many weights these are: in 4 bits two share a byte."""
    state = getattr(weights, "quant_state", None)
    return weights.numel() if state is None else int(torch.Size(state.shape).numel())


@torch.no_grad()
def merged(adapted: Any) -> Any:
    """The network as plain float32 weights: each layer in 4 bits written in full, with its adapter added."""
    network = adapted.get_base_model()
    for name, layer in list(network.named_modules()):
        base: Any = getattr(layer, "base_layer", None)
        if not is_rounded(base):
            continue
        whole = in_full(base.weight)
        for adapter in layer.active_adapters:
            whole += layer.get_delta_weight(adapter).to(whole)
        plain = nn.Linear(base.in_features, base.out_features, bias=False)
        plain.weight, plain.bias = nn.Parameter(whole), base.bias
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, plain)
    network.hf_quantizer.remove_quantization_config(network)
    network.is_loaded_in_4bit = False
    return adapted.merge_and_unload()


@torch.no_grad()
def in_full(weights: Any) -> Tensor:
    from bitsandbytes.functional import dequantize_4bit  # noqa: PLC0415 -- as above

    whole: Tensor = dequantize_4bit(weights.data, weights.quant_state).float()
    return whole
