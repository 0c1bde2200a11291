"""Attention over packed groups: every response of a prompt attends to one copy of it, and to itself.

A packed row is `[prompt | response 1 | … | response K]` for each group, one group after the other, without padding. In
each layer a group takes K + 1 calls of the attention kernel, and these do the useful work and no more:

    prompt with response 1      causal: the first response simply follows its prompt
    responses 2 … K             causal, each within itself
    responses 2 … K → prompt    all of them at once, every key allowed

A token of a later response meets its keys in two calls, and the two are put together exactly: with z the log of the sum of
the exponentials that each call reports, out = Σ_c e^(z_c − z) out_c where z = log Σ_c e^(z_c). The backward kernel needs of
the rest only the final `out` and z: P = exp(S − z) and dS = P ∘ (dP − Σ dout ∘ out) hold key by key, so each call is
differentiated alone and the gradients of its queries add up (Milakov & Gimelshein 2018, arXiv:1805.02867, for the merging;
Dao 2023, arXiv:2307.08691, section 3, for the backward pass; Juravsky et al. 2024, arXiv:2402.05099, for the shared prefix).

The kernel is PyTorch's own for the CPU, whose z plain `scaled_dot_product_attention` keeps to itself. On a GPU in half precision
all groups of a batch take one call of its kernel for rows of many lengths: every response is a row whose keys are its prompt's and
its own. Keys and values of a prompt are copied for each of its responses, which is little beside what is computed of them;
queries stay where they are. What that kernel does not take goes group by group through a mask, which computes the same and wastes the
masked part.

`transformers` finds this as an attention implementation. Without ``packed_spans`` it is plain SDPA, so one model serves
packed rows, padded rows and generation alike. Left out: sliding windows, sinks, soft caps, position biases; a model that has
them and long rows is noticed by `sharing.py` and gets padded rows.

Shape key: H heads, N tokens of the packed row, D width of a head, S keys of all rows, prompts copied.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "tiebreak_packed"
UNKNOWN = ("softcap", "s_aux", "position_bias", "cache")
"""What a model may ask of its attention that is not done here."""

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001 -- the public function hides z
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward  # noqa: SLF001 -- as above
_rows_forward = torch.ops.aten._flash_attention_forward  # noqa: SLF001 -- the public one is newer than the oldest torch that serves
WIDEST_HEAD = 256
"""Numbers of a head that the GPU's kernel takes at most."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a group lies in the packed row: its first token, the length of its prompt, those of its responses."""

    start: int
    prompt: int
    responses: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + self.prompt + sum(self.responses)


class Rejected(Exception):  # noqa: N818 -- says what becomes of the model's wish
    """The model asks for something in its attention that packed rows do not have."""


def packed_attention(
    query_HND: Tensor, key_HND: Tensor, value_HND: Tensor, spans: Sequence[Span], scale: float
) -> Tensor:
    """Attention of every token to its prompt and its own response up to itself: (1, H, N, D) in and out.

    Several heads of the query may share one of keys and values.
    """
    if _fits_one_call(query_HND):
        return _in_one_call(query_HND, key_HND, value_HND, tuple(spans), scale)
    shared = query_HND.shape[1] // key_HND.shape[1]
    if shared > 1:
        key_HND, value_HND = (each.repeat_interleave(shared, dim=1) for each in (key_HND, value_HND))
    if query_HND.device.type == "cpu":
        found: Tensor = _Packed.apply(query_HND, key_HND, value_HND, spans, scale)  # type: ignore[no-untyped-call]  # torch does not type it
        return found
    return torch.cat([_masked(query_HND, key_HND, value_HND, span, scale) for span in spans], 2)


def _masked(query_HND: Tensor, key_HND: Tensor, value_HND: Tensor, span: Span, scale: float) -> Tensor:
    own = slice(span.start, span.end)
    mask_NN = span_mask(span.prompt, span.responses, query_HND.device)
    return functional.scaled_dot_product_attention(
        query_HND[:, :, own], key_HND[:, :, own], value_HND[:, :, own], attn_mask=mask_NN, scale=scale
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """A packed row as rows of its own for each response, the first one's with the prompt before it.

    Row i has the queries from ``queries[i]`` to ``queries[i + 1]`` and the keys from ``keys[i]`` to ``keys[i + 1]`` of those that
    ``at_S`` gathers; the last of both meet, and each query sees the keys up to its own.
    """

    queries: Tensor
    keys: Tensor
    at_S: Tensor
    most_queries: int
    most_keys: int


@lru_cache(maxsize=8)
def rows_of(spans: tuple[Span, ...], device: torch.device) -> Rows:
    """The rows of a batch; all its layers ask for the same."""
    queries, keys, at = [0], [0], list[Tensor]()
    for span in spans:
        prompt = torch.arange(span.start, span.start + span.prompt)
        start = span.start + span.prompt
        for place, length in enumerate(span.responses):
            if length or place == 0:
                queries.append(start + length)
                at += [prompt, torch.arange(start, start + length)]
                keys.append(keys[-1] + span.prompt + length)
            start += length
    ends, far = torch.tensor([queries, keys], dtype=torch.int32), torch.cat(at)
    most_queries, most_keys = ends.diff().amax(1).tolist()
    query_ends, key_ends = ends.to(device, non_blocking=True)
    return Rows(query_ends, key_ends, far.to(device, non_blocking=True), most_queries, most_keys)


def _fits_one_call(query_HND: Tensor) -> bool:
    """What PyTorch's kernel for rows of many lengths takes."""
    is_half = query_HND.dtype in {torch.bfloat16, torch.float16}
    if not (query_HND.is_cuda and is_half and query_HND.shape[-1] <= WIDEST_HEAD and query_HND.shape[-1] % 8 == 0):
        return False
    return torch.cuda.get_device_capability(query_HND.device) >= (8, 0)


def _in_one_call(query: Tensor, key: Tensor, value: Tensor, spans: tuple[Span, ...], scale: float) -> Tensor:
    rows = rows_of(spans, query.device)
    query_NHD, key_NHD, value_NHD = (each.squeeze(0).transpose(0, 1) for each in (query, key, value))
    if len(rows.at_S) > len(query_NHD):
        key_NHD, value_NHD = (_Gathered.apply(each, rows.at_S) for each in (key_NHD, value_NHD))  # type: ignore[no-untyped-call]  # torch does not type it
    ends, most = (rows.queries, rows.keys), (rows.most_queries, rows.most_keys)
    out_NHD: Tensor = _rows_forward(query_NHD, key_NHD, value_NHD, *ends, *most, 0.0, True, False, scale=scale)[0]  # noqa: FBT003 -- no dropout; causal; no mask to look at
    return out_NHD.transpose(0, 1)[None]


class _Gathered(torch.autograd.Function):
    """Rows copied to where they are read; what comes back for the copies of one is summed in float32."""

    @staticmethod
    def forward(ctx: Any, rows_NHD: Tensor, at_S: Tensor) -> Tensor:
        ctx.n, ctx.at_S = len(rows_NHD), at_S
        return rows_NHD.index_select(0, at_S)

    @staticmethod
    def backward(ctx: Any, d_SHD: Tensor) -> tuple[Tensor, None]:
        d_NHD = d_SHD.new_zeros(ctx.n, *d_SHD.shape[1:], dtype=torch.float32)
        return d_NHD.index_add_(0, ctx.at_S, d_SHD.float()).to(d_SHD.dtype), None


@lru_cache(maxsize=256)
def span_mask(prompt: int, responses: tuple[int, ...], device: torch.device) -> Tensor:
    """Who may look at whom within a group, (query, key): what is meant by all of this, said once as a table."""
    part_N = torch.repeat_interleave(torch.tensor([prompt, *responses]))
    allowed_NN = (part_N == part_N[:, None]) | (part_N == 0)
    return allowed_NN.tril().to(device)


class _Packed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, spans: Sequence[Span], scale: float) -> Tensor:
        out, z = _as(query), query.new_empty(query.shape[:3], dtype=_wide(query.dtype))
        for asking, asked, causal in _calls(spans):
            own, z_own = _forward(query[:, :, asking], key[:, :, asked], value[:, :, asked], 0.0, causal, scale=scale)
            if not causal:  # these queries have met their own keys already
                z_both = torch.logaddexp(z_own, z[:, :, asking])
                own = out[:, :, asking].lerp(own, (z_own - z_both).exp().unsqueeze(-1).to(own.dtype))
                z_own = z_both
            out[:, :, asking], z[:, :, asking] = own, z_own
        ctx.save_for_backward(query, key, value, out, z)
        ctx.spans, ctx.scale = spans, scale
        return out

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, z = ctx.saved_tensors
        gradients = _as(query), _as(key), _as(value)
        for asking, asked, causal in _calls(ctx.spans):
            parts = _backward(
                d_out[:, :, asking],
                *(query[:, :, asking], key[:, :, asked], value[:, :, asked], out[:, :, asking], z[:, :, asking]),
                *(0.0, causal),
                scale=ctx.scale,
            )
            for whole, part, where in zip(gradients, parts, (asking, asked, asked), strict=True):
                if causal:  # each token is once in a causal call, which comes first
                    whole[:, :, where] = part
                else:
                    whole[:, :, where] += part
        return *gradients, None, None


def _calls(spans: Sequence[Span]) -> Iterator[tuple[slice, slice, bool]]:
    """(queries, keys, causal) of each kernel call."""
    for span in spans:
        first = span.start + span.prompt + span.responses[0]
        yield slice(span.start, first), slice(span.start, first), True
        at = first
        for length in span.responses[1:]:
            if length:
                yield slice(at, at + length), slice(at, at + length), True
            at += length
        if at > first:
            yield slice(first, at), slice(span.start, span.start + span.prompt), False


def _as(given_HND: Tensor) -> Tensor:
    """An empty tensor of the same shape whose memory runs token by token, as the layers beside want it."""
    return torch.empty_like(given_HND.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **how: Any
) -> tuple[Tensor, None]:
    """What `transformers` calls in each layer. Raises Rejected."""
    spans = how.pop("packed_spans", None)
    if spans is None:
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **how)
        return found
    wishes = [name for name in UNKNOWN if how.get(name) is not None]
    if wishes or how.get("dropout") or how.get("is_causal") is False:
        raise Rejected(", ".join(wishes) or "dropout or no causal mask")
    query, key = query.to(value.dtype), key.to(value.dtype)  # rotary positions are float32 beside half-precision layers
    scale = how.get("scaling") or query.shape[-1] ** -0.5
    return packed_attention(query, key, value, spans, scale).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
