"""What a run may do to need less memory and time: layers in half precision, activations computed again.

Half precision is bfloat16 for the layers alone (`torch.autocast`). Weights, the optimizer's state, log-softmax, sums and
cached references stay float32, and the reference is measured by the same computation, or policy and reference would differ
before anything was learnt. A GPU without bfloat16 computes in float32.

Activations computed again: a layer keeps its input only. `transformers` does that in training mode alone, which would bring
dropout with it, so the layers are wrapped here; they are those that `transformers` itself marks as fit for it.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from app.errors import BadInput
from worker import fused
from worker.policy import Model


def thrifty(model: Model, precision: str, activation_checkpointing: str) -> Model:
    """The model with these settings. Raises BadInput where its layers cannot be computed again."""
    thrifty_model = replace(model, precision=dtype_of(precision, model.device))
    if model.device.type == "cuda" and thrifty_model.precision != torch.float32 and fused.is_there():
        fused.fuse(model.network, model.device)
    if activation_checkpointing == "on":
        recompute_layers(model.network)
    return thrifty_model


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """What layers compute in. ``auto`` takes bfloat16 where the hardware has it."""
    if precision == "auto":
        has_half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_half else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def recompute_layers(network: Any) -> None:
    """Let every layer forget its activations until its gradient is asked for."""
    layers = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise BadInput(
            f"{type(network).__name__} has no layers that can be computed again; leave activation_checkpointing off.",
            field="activation_checkpointing",
        )
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
