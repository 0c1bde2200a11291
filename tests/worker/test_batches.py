"""Groups as tensors: packed and padded say the same, and nothing depends on an id."""

from itertools import pairwise
from typing import Any

import pytest
import torch

from tests.small import CPU, group
from worker.attention import span_mask
from worker.batches import Batch, EncodedGroup, collate, micro_batches, pack
from worker.tokens import encode

LAYOUTS = pytest.mark.parametrize("layout", ["padded", "packed", "packed with ends"])


def laid_out(layout: str, groups: list[EncodedGroup], pad: int = 0) -> Batch:
    return collate(groups, pad, CPU) if layout == "padded" else pack(groups, CPU, ends=layout.endswith("ends"))


@LAYOUTS
def test_each_token_of_a_response_is_predicted_from_the_one_before_it(layout: str, groups: list[EncodedGroup]):
    batch = laid_out(layout, groups)
    before_M = batch.ids_BT.flatten()[batch.at_M].tolist()
    position_M = batch.position_BT.flatten()[batch.at_M].tolist()
    rows = [(each.prompt, one) for each in groups for one in each.responses]
    assert before_M == [token for prompt, one in rows for token in (prompt[-1], *one[:-1])]
    assert batch.target_M.tolist() == [token for _, one in rows for token in one]
    assert batch.row_M.tolist() == [place for place, (_, one) in enumerate(rows) for _ in one]
    assert position_M == [len(prompt) - 1 + place for prompt, one in rows for place in range(len(one))]
    assert batch.tokens_R.tolist() == [len(one) for _, one in rows]


@pytest.mark.parametrize("layout", ["padded", "packed with ends"])
def test_a_reward_is_read_at_the_end_token_though_end_and_padding_be_one_id(layout: str, groups: list[EncodedGroup]):
    end = groups[0].responses[0][-1]
    batch = laid_out(layout, groups, pad=end)
    assert batch.ids_BT.flatten()[batch.last_R].eq(end).all()
    lengths = [len(each.prompt) + len(one) for each in groups for one in each.responses]
    assert (batch.position_BT.flatten()[batch.last_R] + 1).tolist() == lengths


def test_what_is_predicted_follows_from_lengths_though_end_and_padding_be_one_id(groups: list[EncodedGroup]):
    end = groups[0].responses[0][-1]
    with_end, with_other = (collate(groups, pad, CPU) for pad in (end, 0))
    assert end != 0
    for name in ("attention_BT", "at_M", "target_M", "last_R"):
        assert torch.equal(getattr(with_end, name), getattr(with_other, name)), name
    assert int(with_end.target_M.eq(end).sum()) == sum(len(each.responses) for each in groups)


def test_a_packed_row_holds_every_prompt_once_and_no_padding(groups: list[EncodedGroup]):
    batch = pack(groups, CPU, ends=False)
    responses = [one for each in groups for one in each.responses]
    n_tokens = sum(len(each.prompt) for each in groups) + sum(len(one) - 1 for one in responses)
    assert batch.ids_BT.shape == (1, n_tokens)
    assert batch.n_tokens() == n_tokens < collate(groups, 0, CPU).n_tokens()
    assert [span.end for span in batch.spans[:-1]] == [span.start for span in batch.spans[1:]]


def test_a_response_sees_its_prompt_and_itself():
    seen = span_mask(2, (2, 1), CPU).int().tolist()
    assert seen == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("max_tokens", [1, 60, 200, 10_000])
def test_micro_batches_hold_every_group_once_and_whole(max_tokens: int, packed: bool, groups: list[EncodedGroup]):
    parts = list(micro_batches(groups, max_tokens, packed=packed))
    assert sorted(place for part in parts for place in part) == list(range(len(groups)))
    for part in parts:
        some = [groups[place] for place in part]
        rows = sum(len(each.responses) for each in some)
        size = sum(each.tokens() for each in some) if packed else rows * max(each.longest() for each in some)
        assert len(part) == 1 or size <= max_tokens


def test_packed_micro_batches_hold_more(groups: list[EncodedGroup]):
    assert len(list(micro_batches(groups, 80, packed=True))) < len(list(micro_batches(groups, 80)))


def test_micro_batches_put_like_lengths_together(groups: list[EncodedGroup]):
    spans = [[groups[place].longest() for place in part] for part in micro_batches(groups, 150)]
    assert len(spans) > 1
    assert all(max(shorter) <= min(longer) for shorter, longer in pairwise(spans))


@LAYOUTS
def test_values_go_back_to_the_group_and_slot_they_came_from(layout: str, groups: list[EncodedGroup]):
    batch = laid_out(layout, groups)
    found_GK = batch.grouped(torch.arange(1.0, len(batch.tokens_R) + 1))
    assert found_GK[batch.mask_GK].tolist() == list(range(1, len(batch.tokens_R) + 1))
    assert found_GK[~batch.mask_GK].eq(0).all()
    assert batch.mask_GK.sum(1).tolist() == [len(each.responses) for each in groups]


def test_scores_and_strength_go_with_their_responses(tokenizer: Any):
    told = group("q", ["a", "b", "c"], [2, None, 1], scores=(0.5, 7.0, None), strength=3.0)
    encoded, _ = encode([told, group("q", ["a"], [1])], tokenizer, 64)
    batch = pack(encoded, CPU, ends=False)
    torch.testing.assert_close(batch.score_GK, torch.tensor([[0.5, torch.nan], [torch.nan, torch.nan]]), equal_nan=True)
    assert batch.strength_G.tolist() == [3.0, 0.0]
