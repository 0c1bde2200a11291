"""Hidden states → log-probability of a response: the only place with logits.

Three things are done here once, so that policy, reference and evaluation cannot differ in them. Logits are made for
response tokens alone, never for the prompt. They are made in chunks and made again for the backward pass, so that no
[tokens, vocabulary] table is ever kept whole. And log-softmax and sums are in float32 at least: at −2048 nats
neighbouring bfloat16 numbers are 16 nats apart, which no implicit reward survives.

Shape key: R responses, T tokens of the padded row, N response tokens of all rows, D width, V vocabulary.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Head = Callable[[Tensor], Tensor]

LOGITS_AT_ONCE = 2**24  # 64 MiB of float32: a chunk is this many logits


def response_logp(hidden_RTD: Tensor, head: Head, ids_RT: Tensor, response_RT: Tensor, vocabulary: int) -> Tensor:
    """The log π(response | prompt), nats, summed over the response's tokens with its end token: float32 or better, (R,).

    ``response_RT`` marks the response's own tokens, which comes from lengths and never from token ids: where the end
    token's id were also the padding's, a mask from ids would lose it. Position t − 1 predicts token t, so the response's
    first token is predicted by the prompt's last. A response of no tokens has log-probability 0.
    """
    predicted_RT = response_RT[:, 1:]
    token_logp_N = token_logp(hidden_RTD[:, :-1][predicted_RT], head, ids_RT[:, 1:][predicted_RT], vocabulary)
    row_N = torch.arange(len(ids_RT), device=ids_RT.device).repeat_interleave(predicted_RT.sum(1))
    return token_logp_N.new_zeros(len(ids_RT)).index_add(0, row_N, token_logp_N)


def token_logp(hidden_ND: Tensor, head: Head, targets_N: Tensor, vocabulary: int) -> Tensor:
    """The log p(target) at each position, nats, float32 or better, (N,). One chunk of logits lives at a time."""
    step = max(1, LOGITS_AT_ONCE // vocabulary)
    if len(targets_N) <= step:  # one chunk only: to make its logits twice would save nothing
        return _chunk_logp(hidden_ND, head, targets_N)
    chunks = [
        checkpoint(_chunk_logp, hidden, head, targets, use_reentrant=False)
        for hidden, targets in zip(torch.split(hidden_ND, step), torch.split(targets_N, step), strict=True)
    ]
    return torch.cat(chunks)


def _chunk_logp(hidden_ND: Tensor, head: Head, targets_N: Tensor) -> Tensor:
    logits_NV = head(hidden_ND)
    wide_NV = logits_NV if logits_NV.dtype == torch.float64 else logits_NV.float()
    return -functional.cross_entropy(wide_NV, targets_N, reduction="none")
