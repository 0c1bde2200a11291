"""Kernels for NVIDIA GPUs, in Triton: what between two matrix products only moves numbers is done in one pass over them.

Each computes in float32 from what it is given and rounds once, to the precision that layers compute in; PyTorch's own operations
write every step between to memory, in float32 where weights are. Each says forward and backward beside each other:

    rms_norm    y = w ∘ x r,  r = (mean x² + ε)^(−½)    dx = r (g − x r² mean(g ∘ x)), g = w ∘ dy;  dw = Σ dy ∘ x r
    swiglu      y = silu(a) ∘ b,  silu(a) = a σ(a)       da = dy ∘ b ∘ σ(a) (1 + a (1 − σ(a)));  db = dy ∘ silu(a)
    rotated     y = x ∘ cos + half-turned(x) ∘ sin       the same with −sin
    softmax_    p = e^(l − z),  z = log Σ e^l            (its derivative is `logp.py`'s)

Sums over rows go through partial sums in a fixed order, so the same call gives the same bits. This file is imported where Triton
is there, which comes with PyTorch for CUDA; `fused.py` says where its kernels take a network's place.

Shape key: N tokens, D width, H heads, V vocabulary, C tokens of a chunk.
"""

# Triton compiles these functions from their text; it knows neither types of arguments nor keyword-only ones.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, valid-type, misc"
# ruff: noqa: ANN001, ANN202

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

PROGRAMS = 512
"""Programs that share the rows of a sum: about four for each multiprocessor of a large GPU."""
PIECE = 1024
"""Numbers that one program of an elementwise kernel takes."""
PIECE_V = 8192
"""Entries of the vocabulary that a program looks at together."""


def rms_norm(x_ND: Tensor, weight_D: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
    """Rows divided by the root of their mean square, times a weight each column: (…, D) in ``dtype``."""
    found: Tensor = _RmsNorm.apply(x_ND, weight_D, epsilon, dtype)
    return found


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) ∘ up, in their shape and precision."""
    found: Tensor = _Swiglu.apply(gate, up)
    return found


def rotated(x_BHND: Tensor, cos_BND: Tensor, sin_BND: Tensor) -> Tensor:
    """Rotary positions put into queries or keys: (B, H, N, D) in their precision, the memory token by token."""
    found: Tensor = _Rotated.apply(x_BHND, cos_BND, sin_BND)
    return found


def softmax_(logits_CV: Tensor) -> Tensor:
    """The table becomes its softmax, in its precision; returns the log of each row's normaliser: float32, (C,)."""
    lse_C = torch.empty(len(logits_CV), dtype=torch.float32, device=logits_CV.device)
    _softmax[(len(logits_CV),)](logits_CV, lse_C, logits_CV.shape[1], logits_CV.stride(0), PIECE_V, num_warps=8)
    return lse_C


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_D: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        x_ND = x.reshape(-1, x.shape[-1]).contiguous()
        n, width = x_ND.shape
        y_ND = torch.empty_like(x_ND, dtype=dtype)
        rate_N = torch.empty(n, dtype=torch.float32, device=x.device)
        _rms_forward[(n,)](x_ND, weight_D, y_ND, rate_N, width, epsilon, triton.next_power_of_2(width))
        ctx.save_for_backward(x_ND, weight_D, rate_N)
        return y_ND.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x_ND, weight_D, rate_N = ctx.saved_tensors
        n, width = x_ND.shape
        programs = min(n, PROGRAMS)
        dx_ND = torch.empty_like(x_ND)
        parts_PD = torch.empty(programs, width, dtype=torch.float32, device=dy.device)
        at_once = triton.next_power_of_2(width)
        dy_ND = dy.reshape(-1, width).contiguous()
        _rms_backward[(programs,)](dy_ND, x_ND, weight_D, rate_N, dx_ND, parts_PD, n, width, at_once)
        return dx_ND.view(dy.shape), parts_PD.sum(0).to(weight_D.dtype), None, None


class _Swiglu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        gate, up = gate.contiguous(), up.contiguous()
        y = torch.empty_like(gate)
        _swiglu_forward[(triton.cdiv(y.numel(), PIECE),)](gate, up, y, y.numel(), PIECE)
        ctx.save_for_backward(gate, up)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        d_gate, d_up = torch.empty_like(gate), torch.empty_like(up)
        pieces = triton.cdiv(gate.numel(), PIECE)
        _swiglu_backward[(pieces,)](dy.contiguous(), gate, up, d_gate, d_up, gate.numel(), PIECE)
        return d_gate, d_up


class _Rotated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BHND: Tensor, cos_BND: Tensor, sin_BND: Tensor) -> Tensor:
        ctx.save_for_backward(cos_BND, sin_BND)
        return _turn(x_BHND, cos_BND, sin_BND, back=False)

    @staticmethod
    def backward(ctx: Any, dy_BHND: Tensor) -> tuple[Tensor, None, None]:
        return _turn(dy_BHND, *ctx.saved_tensors, back=True), None, None


def _turn(x_BHND: Tensor, cos_BND: Tensor, sin_BND: Tensor, *, back: bool) -> Tensor:
    x_BNHD = x_BHND.transpose(1, 2).contiguous()
    batch, n, heads, width = x_BNHD.shape
    y_BNHD = torch.empty_like(x_BNHD)
    sizes = triton.next_power_of_2(heads), triton.next_power_of_2(width // 2)
    _rotate[(batch * n,)](x_BNHD, cos_BND, sin_BND, y_BNHD, heads, width // 2, back, *sizes)
    return y_BNHD.transpose(1, 2)


@triton.jit
def _rms_forward(x, weight, y, rate, width, epsilon, AT_ONCE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, AT_ONCE)
    inside = at < width
    x_D = tl.load(x + row * width + at, mask=inside, other=0.0).to(tl.float32)
    weight_D = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    r = 1.0 / tl.sqrt(tl.sum(x_D * x_D, 0) / width + epsilon)
    tl.store(rate + row, r)
    tl.store(y + row * width + at, (x_D * r * weight_D).to(y.dtype.element_ty), mask=inside)


@triton.jit
def _rms_backward(dy, x, weight, rate, dx, parts, n, width, AT_ONCE: tl.constexpr):
    first = tl.program_id(0)
    at = tl.arange(0, AT_ONCE)
    inside = at < width
    weight_D = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    sum_D = tl.zeros([AT_ONCE], dtype=tl.float32)
    for row in range(first, n, tl.num_programs(0)):
        place = row * width + at
        x_D = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
        dy_D = tl.load(dy + place, mask=inside, other=0.0).to(tl.float32)
        r = tl.load(rate + row)
        g_D = dy_D * weight_D
        dx_D = r * (g_D - x_D * (r * r * tl.sum(g_D * x_D, 0) / width))
        tl.store(dx + place, dx_D.to(dx.dtype.element_ty), mask=inside)
        sum_D += dy_D * x_D * r
    tl.store(parts + first * width + at, sum_D, mask=inside)


@triton.jit
def _swiglu_forward(gate, up, y, n, AT_ONCE: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * AT_ONCE + tl.arange(0, AT_ONCE)
    inside = at < n
    a = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + at, (a * tl.sigmoid(a) * b).to(y.dtype.element_ty), mask=inside)


@triton.jit
def _swiglu_backward(dy, gate, up, d_gate, d_up, n, AT_ONCE: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * AT_ONCE + tl.arange(0, AT_ONCE)
    inside = at < n
    d = tl.load(dy + at, mask=inside, other=0.0).to(tl.float32)
    a = tl.load(gate + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(up + at, mask=inside, other=0.0).to(tl.float32)
    s = tl.sigmoid(a)
    tl.store(d_gate + at, (d * b * s * (1.0 + a * (1.0 - s))).to(d_gate.dtype.element_ty), mask=inside)
    tl.store(d_up + at, (d * a * s).to(d_up.dtype.element_ty), mask=inside)


@triton.jit
def _rotate(x, cos, sin, y, heads, half, BACK: tl.constexpr, HEADS: tl.constexpr, HALF: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, HALF)
    inside = at < half
    angle = token * 2 * half + at
    cos_one = tl.load(cos + angle, mask=inside, other=0.0).to(tl.float32)[None, :]
    cos_two = tl.load(cos + angle + half, mask=inside, other=0.0).to(tl.float32)[None, :]
    sin_one = tl.load(sin + angle, mask=inside, other=0.0).to(tl.float32)[None, :]
    sin_two = tl.load(sin + angle + half, mask=inside, other=0.0).to(tl.float32)[None, :]
    head = tl.arange(0, HEADS)[:, None]
    place = (token * heads + head) * 2 * half + at[None, :]
    there = (head < heads) & inside[None, :]
    one = tl.load(x + place, mask=there, other=0.0).to(tl.float32)
    two = tl.load(x + place + half, mask=there, other=0.0).to(tl.float32)
    if BACK:
        new_one = one * cos_one + two * sin_two
        new_two = two * cos_two - one * sin_one
    else:
        new_one = one * cos_one - two * sin_one
        new_two = two * cos_two + one * sin_two
    tl.store(y + place, new_one.to(y.dtype.element_ty), mask=there)
    tl.store(y + place + half, new_two.to(y.dtype.element_ty), mask=there)


@triton.jit
def _softmax(table, lse, vocabulary, stride, AT_ONCE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    most = -float("inf")
    total = 0.0
    for start in range(0, vocabulary, AT_ONCE):
        at = start + tl.arange(0, AT_ONCE)
        score = tl.load(table + row * stride + at, mask=at < vocabulary, other=-float("inf")).to(tl.float32)
        higher = tl.maximum(most, tl.max(score, 0))
        total = total * tl.exp(most - higher) + tl.sum(tl.exp(score - higher), 0)
        most = higher
    z = most + tl.log(total)
    tl.store(lse + row, z)
    for start in range(0, vocabulary, AT_ONCE):
        at = start + tl.arange(0, AT_ONCE)
        score = tl.load(table + row * stride + at, mask=at < vocabulary, other=-float("inf")).to(tl.float32)
        tl.store(table + row * stride + at, tl.exp(score - z).to(table.dtype.element_ty), mask=at < vocabulary)
