"""The log-probability of a response against plain transformers, whole and in chunks."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.small import small_model
from worker import logp, policy
from worker.batches import EncodedGroup, collate


def plain_logp(network: Any, prompt: tuple[int, ...], response: tuple[int, ...]) -> float:
    """One row alone, the whole table of logits, no mask, no padding."""
    ids = torch.tensor([prompt + response])
    with torch.no_grad():
        table = network(input_ids=ids).logits[0].double().log_softmax(-1)
    return sum(table[place - 1, ids[0, place]].item() for place in range(len(prompt), ids.shape[1]))


def test_it_sums_the_responses_tokens_with_the_end_token(tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model("policy", tokenizer)
    batch = collate(groups, tokenizer.pad_token_id, model.device)
    by_hand = [plain_logp(model.network, group.prompt, one) for group in groups for one in group.responses]
    assert policy.logp(model, batch).tolist() == pytest.approx(by_hand, abs=1e-4)
    assert all(response[-1] == tokenizer.eos_token_id for group in groups for response in group.responses)


@pytest.mark.parametrize("at_once", [1, 700, 3000])
def test_chunks_change_neither_value_nor_gradient(
    at_once: int, tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    model = small_model("policy", tokenizer)
    model.network.double()
    batch = collate(groups, tokenizer.pad_token_id, model.device)

    def measured() -> tuple[list[float], list[Tensor]]:
        logp_R = policy.logp(model, batch)
        gradients = torch.autograd.grad((logp_R * torch.arange(len(logp_R))).sum(), model.trainable())
        return logp_R.tolist(), list(gradients)

    whole, whole_gradients = measured()
    monkeypatch.setattr(logp, "LOGITS_AT_ONCE", at_once)
    parts, gradients = measured()
    assert parts == pytest.approx(whole, abs=1e-12)
    for ours, theirs in zip(gradients, whole_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_no_logits_are_made_for_the_prompt_nor_more_than_a_chunk(monkeypatch: pytest.MonkeyPatch):
    hidden_RTD, weights_VD = torch.randn(2, 30, 8), torch.randn(50, 8)
    response_RT = torch.zeros(2, 30, dtype=torch.bool)
    response_RT[0, 20:28] = response_RT[1, 25:30] = True
    seen: list[int] = []

    def head(hidden_ND: Tensor) -> Tensor:
        seen.append(len(hidden_ND))
        return hidden_ND @ weights_VD.T

    monkeypatch.setattr(logp, "LOGITS_AT_ONCE", 4 * 50)
    logp.response_logp(hidden_RTD, head, torch.zeros(2, 30, dtype=torch.long), response_RT, 50)
    assert sum(seen) == 8 + 5
    assert max(seen) == 4


def test_half_precision_is_widened_before_it_is_summed():
    """300 tokens of about 7 nats each: near −2048 neighbouring bfloat16 numbers are 8 or 16 nats apart."""
    torch.manual_seed(0)
    hidden_RTD, weights_VD = torch.randn(1, 301, 16).bfloat16(), 0.1 * torch.randn(1000, 16).bfloat16()
    ids_RT, response_RT = torch.randint(1000, (1, 301)), torch.ones(1, 301, dtype=torch.bool)
    found_R = logp.response_logp(hidden_RTD, lambda hidden: hidden @ weights_VD.T, ids_RT, response_RT, 1000)
    logits_NV = (hidden_RTD[0, :-1] @ weights_VD.T).double()
    exact = logits_NV.log_softmax(-1).gather(1, ids_RT[0, 1:, None]).sum().item()
    assert found_R.dtype == torch.float32
    assert found_R.item() == pytest.approx(exact, abs=1e-2)
