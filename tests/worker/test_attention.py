"""Attention over packed groups against the same with a mask."""

import pytest
import torch
from torch import Tensor

from worker.attention import Span, _masked, packed_attention, rows_of

RAGGED = (Span(0, 5, (3, 2, 4)), Span(14, 4, (2, 0, 1)), Span(21, 3, (4,)), Span(28, 1, (0, 2, 1, 1, 1, 3, 1, 2)))
N_TOKENS = RAGGED[-1].end


def random_states(dtype: torch.dtype = torch.float64, heads: int = 2) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(1, N_TOKENS, heads, 4, dtype=dtype).transpose(1, 2).requires_grad_() for _ in range(3)]


def with_mask(states: list[Tensor], scale: float) -> Tensor:
    return torch.cat([_masked(*states, span, scale) for span in RAGGED], 2)


def test_it_is_attention_with_a_mask_in_value_and_gradient():
    states = random_states()
    ours, theirs = packed_attention(*states, RAGGED, 0.7), with_mask(states, 0.7)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)
    d_out = torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad(ours, states, d_out), torch.autograd.grad(theirs, states, d_out), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def test_it_has_the_derivative_of_finite_differences():
    some = [each[:, :, : RAGGED[1].end].detach().requires_grad_() for each in random_states()]
    assert torch.autograd.gradcheck(lambda *states: packed_attention(*states, RAGGED[:2], 0.7), some)


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_it_stays_exact_where_one_part_of_the_keys_takes_all_the_weight(scale: float):
    states = random_states(torch.float32)
    ours, exact = packed_attention(*states, RAGGED, scale), with_mask([each.double() for each in states], scale)
    torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5)


def test_no_response_sees_another():
    query, key, value = random_states()
    changed = value.detach().clone()
    changed[:, :, 5:8] += 100.0  # the first response of the first group
    before, after = (packed_attention(query, key, each, RAGGED, 0.7) for each in (value, changed))
    moved_N = (before != after).any(dim=(0, 1, 3))
    assert moved_N.nonzero()[:, 0].tolist() == [5, 6, 7]


def test_the_rows_of_one_call_hold_what_each_response_may_look_at():
    """The kernel of a GPU lets the last query of a row meet its last key; here a mask does."""
    query, key, value = random_states()
    rows = rows_of(RAGGED, torch.device("cpu"))
    key, value = key[:, :, rows.at_S], value[:, :, rows.at_S]
    parts = []
    for place in range(len(rows.queries) - 1):
        asking = slice(*rows.queries[place : place + 2].tolist())
        asked = slice(*rows.keys[place : place + 2].tolist())
        n, n_keys = asking.stop - asking.start, asked.stop - asked.start
        assert n <= rows.most_queries
        assert n_keys <= rows.most_keys
        mask = torch.ones(n, n_keys, dtype=torch.bool).tril(n_keys - n)
        told = (query[:, :, asking], key[:, :, asked], value[:, :, asked])
        parts.append(torch.nn.functional.scaled_dot_product_attention(*told, attn_mask=mask, scale=0.7))
    torch.testing.assert_close(torch.cat(parts, 2), with_mask([query, *random_states()[1:]], 0.7))
