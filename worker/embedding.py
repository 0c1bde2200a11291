"""The gradient of a table of embeddings, added to where it belongs instead of made as a table of its own.

Autograd gives each micro-batch a table of zeros as large as the vocabulary, in which a few hundred rows are not zero, and adds
all of it to the gradient: with 11 million weights, 32,000 entries and micro-batches of a thousand tokens a tenth of a step. Here
the rows are added to the gradient itself. Only on a CPU and in one process: with several, a gradient is in parts and on its way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from worker import processes


@contextmanager
def added_in_place(network: Any) -> Iterator[None]:
    """In here ``backward`` adds to the gradient of the input embeddings in place, if they are plain ones that learn.

    `torch.autograd.grad` sees no gradient of theirs.
    """
    table = network.get_input_embeddings()
    is_plain = type(table) is nn.Embedding and table.max_norm is None and "forward" not in vars(table)
    if not (is_plain and table.weight.requires_grad and table.weight.device.type == "cpu" and processes.count() == 1):
        yield
        return
    table.forward = partial(_LookUp.apply, table.weight, table.padding_idx)
    try:
        yield
    finally:
        del table.forward


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight_VD: Tensor, padding_id: int | None, ids: Tensor) -> Tensor:
        ctx.weight_VD, ctx.ids, ctx.padding_id = weight_VD, ids, padding_id
        return weight_VD.detach()[ids]

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[None, None, None]:
        weight_VD, ids_N, d_ND = ctx.weight_VD, ctx.ids.flatten(), d_out.flatten(0, -2)
        if ctx.padding_id is not None:  # its row does not learn, as in autograd's own
            is_text_N = ids_N != ctx.padding_id
            ids_N, d_ND = ids_N[is_text_N], d_ND[is_text_N]
        if weight_VD.grad is None:
            weight_VD.grad = torch.zeros_like(weight_VD)
        weight_VD.grad.index_add_(0, ids_N, d_ND.to(weight_VD.dtype))
        return None, None, None
