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


@pytest.mark.parametrize(("chunk", "kept"), [(1, 0), (700, 0), (700, 1400), (3000, 2**24), (2**24, 2**24)])
@pytest.mark.parametrize("tied", [True, False])
def test_chunks_kept_or_made_again_change_neither_value_nor_gradient(
    chunk: int, kept: int, tied: bool, tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    model = small_model("policy", tokenizer, tie_word_embeddings=tied)
    model.network.double()
    batch = collate(groups, tokenizer.pad_token_id, model.device)
    weights_R = torch.arange(len(batch.tokens_R))
    logits_MV = model.network(input_ids=batch.ids_BT).logits.flatten(0, 1)[batch.at_M]
    plain_M = logits_MV.log_softmax(-1).gather(1, batch.target_M[:, None])[:, 0]
    theirs_R = logp.response_logp(plain_M, batch.row_M, len(batch.tokens_R))
    theirs = torch.autograd.grad((theirs_R * weights_R).sum(), model.trainable())
    monkeypatch.setattr(logp, "CHUNK_LOGITS", chunk)
    monkeypatch.setattr(logp, "KEPT_LOGITS", kept)
    ours_R = policy.logp(model, batch)
    ours = torch.autograd.grad((ours_R * weights_R).sum(), model.trainable())
    assert ours_R.tolist() == pytest.approx(theirs_R.tolist(), abs=1e-11)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("chunk", "kept"), [(26, 52), (26, 0), (2**24, 2**24)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_it_has_the_derivative_of_finite_differences(
    chunk: int, kept: int, with_bias: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logp, "CHUNK_LOGITS", chunk)
    monkeypatch.setattr(logp, "KEPT_LOGITS", kept)
    torch.manual_seed(0)
    hidden_MD, weight_VD, bias_V = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((7, 4), (13, 4), (13,))
    )
    target_M = torch.randint(13, (7,))
    bias = bias_V if with_bias else None
    inputs = (hidden_MD, weight_VD, bias) if with_bias else (hidden_MD, weight_VD)
    assert torch.autograd.gradcheck(lambda h, w, b=None: logp.token_logp(h, w, b, target_M)[0], inputs)
    _, entropy_M = logp.token_logp(hidden_MD, weight_VD, bias, target_M)
    spread_MV = torch.distributions.Categorical(logits=torch.nn.functional.linear(hidden_MD, weight_VD, bias))
    torch.testing.assert_close(entropy_M, spread_MV.entropy())


def test_weights_that_do_not_learn_keep_no_table_for_the_backward_pass():
    hidden_MD, weight_VD = torch.randn(7, 4, requires_grad=True), torch.randn(13, 4)
    found_M, _ = logp.token_logp(hidden_MD, weight_VD, None, torch.randint(13, (7,)))
    assert found_M.grad_fn.kept == []
    assert all(each.numel() < 7 * 13 for each in found_M.grad_fn.saved_tensors if each is not None)


def test_no_logits_are_made_for_the_prompt_nor_more_than_a_chunk(
    tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    model = small_model("policy", tokenizer)
    seen: list[int] = []
    made = logp.probabilities

    def watched(hidden_CD: Tensor, weight_VD: Tensor, *more: Any) -> Any:
        seen.append(len(hidden_CD))
        return made(hidden_CD, weight_VD, *more)

    monkeypatch.setattr(logp, "probabilities", watched)
    monkeypatch.setattr(logp, "CHUNK_LOGITS", 4 * len(tokenizer))
    with torch.no_grad():
        policy.logp(model, collate(groups, 0, model.device))
    assert sum(seen) == sum(len(one) for each in groups for one in each.responses)
    assert max(seen) == 4


def test_half_precision_is_widened_before_it_is_summed():
    """300 tokens of about 7 nats each: near −2048 neighbouring bfloat16 numbers are 8 or 16 nats apart."""
    torch.manual_seed(0)
    hidden_MD, weight_VD = torch.randn(300, 16).bfloat16(), 0.1 * torch.randn(1000, 16).bfloat16()
    target_M = torch.randint(1000, (300,))
    token_M, _ = logp.token_logp(hidden_MD, weight_VD, None, target_M)
    found_R = logp.response_logp(token_M, torch.zeros(300, dtype=torch.long), 1)
    exact = (hidden_MD @ weight_VD.T).double().log_softmax(-1).gather(1, target_M[:, None]).sum().item()
    assert found_R.dtype == torch.float32
    assert found_R.item() == pytest.approx(exact, abs=1e-2)
