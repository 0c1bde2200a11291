"""Hidden states → log-probability of a response: the only place with logits.

Four things are done here once, so that policy, reference and evaluation cannot differ in them. Logits are made for response
tokens alone, never for the prompt. They are made in chunks, and of the tables of probabilities no more than `KEPT_LOGITS`
wait for the backward pass; further chunks are made again. Log-softmax and sums are in float32 at least: at −2048 nats
neighbouring bfloat16 numbers are 16 nats apart, which no implicit reward survives. And the backward pass is written by hand.

Derivation. With logits l = W h + b, p = softmax(l) and the target t, log p(t) = l_t − lse(l), so

    ∂ log p(t) / ∂h = W_t − pᵀW        ∂ log p(t) / ∂W = (e_t − p) hᵀ        ∂ log p(t) / ∂b = e_t − p

Neither needs what comes from above but as a factor for each token. So pᵀW is made in the forward pass, while p is there: for
weights that do not learn (LoRA) nothing is left to do, and for those that do one product per chunk is left. The entropy
comes with it, since Σ_v p_v l_v = h · pᵀW + p · b: H = lse(l) − Σ_v p_v l_v costs no pass over the vocabulary.

With m = max l, softmax in place leaves max p = e^(m − lse), so lse = m − log max p, and one table serves for everything. On a GPU
in half precision that table is of half precision too, a kernel of `kernels.py` makes p and lse in one go, and products with it are
summed in float32.

(Chunking, and gradients made in the forward pass: Liger kernel's fused linear cross-entropy, arXiv:2410.10989, section 3.2,
for a loss whose factors are known beforehand. Here they are not, since a preference loss first compares the responses.)

Shape key: M predicted tokens of all responses, C those of one chunk, R responses, D width, V vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from worker import fused

_addmm = torch.ops.aten.addmm.dtype_out  # a product of half precision added to float32, for which torch has no method
CHUNK_LOGITS, CHUNK_ON_GPU = 2**24, 2**28
"""Logits of one chunk: 64 MiB of float32; on a GPU, which is quick with large products alone, 512 MiB in half precision."""
KEPT_LOGITS, KEPT_BYTES_OF_GPU = 2**26, 16
"""Probabilities that wait for the backward pass, others are made again, which costs a product more: 256 MiB, as much as the
activations of a micro-batch may take; on a GPU what fills a sixteenth of it."""


def response_logp(token_logp_M: Tensor, row_M: Tensor, n_responses: int) -> Tensor:
    """The log π(response | prompt), nats, summed over the response's tokens with its end token: (R,)."""
    return token_logp_M.new_zeros(n_responses).index_add(0, row_M, token_logp_M)


def token_logp(hidden_MD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, target_M: Tensor) -> tuple[Tensor, Tensor]:
    """The log p(target) at each position and the entropy there, nats, float32 or better, (M,) and (M,).

    The entropy has no gradient, and is NaN where nobody asked for one (``torch.no_grad``): it comes with the gradient.
    """
    found: tuple[Tensor, Tensor] = _TokenLogp.apply(  # type: ignore[no-untyped-call]  # torch does not type it
        hidden_MD, weight_VD, bias_V, target_M, torch.is_grad_enabled()
    )
    return found


class _TokenLogp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden_MD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, target_M: Tensor, is_training: bool
    ) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(hidden_MD.dtype, torch.float32)
        weight_VD = weight_VD.to(hidden_MD.dtype)
        logp_M = torch.empty(len(target_M), dtype=wide, device=hidden_MD.device)
        entropy_M = torch.full_like(logp_M, torch.nan)
        expected_MD = torch.empty_like(hidden_MD) if is_training else None
        kept: list[Tensor] = []
        keeps = is_training and (ctx.needs_input_grad[1] or ctx.needs_input_grad[2])
        for part in chunks(len(target_M), len(weight_VD), hidden_MD.is_cuda):
            hidden_CD = hidden_MD[part]
            p_CV, lse_C, logp_M[part] = probabilities(hidden_CD, weight_VD, bias_V, target_M[part])
            if expected_MD is not None:
                expected_CD = torch.mm(p_CV.to(hidden_MD.dtype), weight_VD, out=expected_MD[part])
                mean_C = (hidden_CD.to(wide) * expected_CD).sum(1)
                entropy_M[part] = lse_C - (mean_C if bias_V is None else mean_C + p_CV.to(wide) @ bias_V.to(wide))
            if keeps and sum(each.numel() for each in kept) + p_CV.numel() <= most_kept(p_CV):
                kept.append(p_CV)
        ctx.mark_non_differentiable(entropy_M)
        ctx.kept = kept
        ctx.save_for_backward(hidden_MD, weight_VD, bias_V, target_M, expected_MD)
        return logp_M, entropy_M

    @staticmethod
    def backward(ctx: Any, factor_M: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden_MD, weight_VD, _, target_M, expected_MD = ctx.saved_tensors
        d_hidden = d_weight = d_bias = None
        if ctx.needs_input_grad[0]:
            d_hidden = weight_VD[target_M].sub_(expected_MD).mul_(factor_M[:, None].to(hidden_MD.dtype))
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            d_weight, d_bias = _head_gradients(ctx, factor_M)
        return d_hidden, d_weight, d_bias, None, None


def _head_gradients(ctx: Any, factor_M: Tensor) -> tuple[Tensor, Tensor | None]:
    """Σ (e_t − p) hᵀ and Σ (e_t − p), each token with its factor, without a table for e_t."""
    hidden_MD, weight_VD, bias_V, target_M, _ = ctx.saved_tensors
    scaled_MD = hidden_MD.to(factor_M.dtype) * factor_M[:, None]
    d_weight = torch.zeros(weight_VD.shape, dtype=factor_M.dtype, device=weight_VD.device)
    d_weight.index_add_(0, target_M, scaled_MD)
    d_bias = None if bias_V is None else d_weight.new_zeros(len(bias_V)).index_add_(0, target_M, factor_M)
    for place, part in enumerate(chunks(len(target_M), len(weight_VD), hidden_MD.is_cuda)):
        if place < len(ctx.kept):
            p_CV = ctx.kept[place]
        else:
            p_CV, _, _ = probabilities(hidden_MD[part], weight_VD, bias_V, target_M[part])
        if p_CV.dtype == d_weight.dtype:
            d_weight.addmm_(p_CV.T, scaled_MD[part], alpha=-1)
        else:
            _addmm(d_weight, p_CV.T, scaled_MD[part].to(p_CV.dtype), d_weight.dtype, alpha=-1, out=d_weight)
        if d_bias is not None:
            d_bias.sub_(factor_M[part] @ p_CV.to(factor_M.dtype))
    ctx.kept.clear()
    return d_weight, d_bias


def chunks(n_tokens: int, vocabulary: int, on_gpu: bool = False) -> Sequence[slice]:
    """Where each chunk of tokens lies."""
    step = max(1, (CHUNK_ON_GPU if on_gpu else CHUNK_LOGITS) // vocabulary)
    return [slice(start, min(start + step, n_tokens)) for start in range(0, n_tokens, step)]


def most_kept(p_CV: Tensor) -> int:
    """How many probabilities of this precision may wait for the backward pass."""
    if not p_CV.is_cuda:
        return KEPT_LOGITS
    return int(torch.cuda.get_device_properties(p_CV.device).total_memory) // KEPT_BYTES_OF_GPU // p_CV.element_size()


def probabilities(
    hidden_CD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, target_C: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax over the vocabulary, its normaliser's log and the log-probability of the target: (C, V), (C,), (C,)."""
    logits_CV = functional.linear(hidden_CD, weight_VD, None if bias_V is None else bias_V.to(hidden_CD.dtype))
    if logits_CV.is_cuda and logits_CV.dtype == torch.bfloat16 and fused.is_there():
        from worker.kernels import softmax_  # noqa: PLC0415 -- Triton is not everywhere

        target_logit_C = logits_CV.gather(1, target_C[:, None])[:, 0].float()
        lse_C = softmax_(logits_CV)
        return logits_CV, lse_C, target_logit_C - lse_C
    wide_CV = logits_CV.to(torch.promote_types(logits_CV.dtype, torch.float32))
    target_logit_C = wide_CV.gather(1, target_C[:, None])[:, 0]
    most_C = wide_CV.amax(1)
    p_CV = torch.softmax(wide_CV, 1, out=wide_CV)
    lse_C = most_C - p_CV.amax(1).log()
    return p_CV, lse_C, target_logit_C - lse_C
