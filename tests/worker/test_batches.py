"""From text to tokens: what is trained on is what a program samples after."""

from itertools import pairwise
from typing import Any

import pytest
import torch

from app.errors import BadInput
from tests.small import GROUPS, TEXTS, group
from worker import starter
from worker.batches import EncodedGroup, collate, cut_prompt, encode, micro_batches, prompt_ids, response_ids

CPU = torch.device("cpu")


def test_it_keeps_the_border_between_prompt_and_response_where_one_text_would_merge_across_it(tokenizer: Any):
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=300)
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    half, rest = "the qui", "ck brown"
    as_one = tokenizer(half + rest, add_special_tokens=False)["input_ids"]
    (encoded,), _ = encode([group(half, [rest], [1])], tokenizer, 64)
    prompt = tuple(tokenizer(half, add_special_tokens=False)["input_ids"])
    assert as_one[: len(prompt)] != list(prompt), "this tokenizer does not merge across, so nothing is tried"
    assert encoded.prompt == prompt
    assert tokenizer.decode(encoded.responses[0][:-1]) == rest


def test_a_response_continues_the_template_as_the_template_itself_writes_it(tokenizer: Any):
    (encoded, *_), _ = encode(GROUPS, tokenizer, 64)
    messages = [*GROUPS[0].prompt, {"role": "assistant", "content": GROUPS[0].responses[0]}]
    assert list(encoded.prompt + encoded.responses[0]) == tokenizer.apply_chat_template(messages, return_dict=False)


def test_it_refuses_a_template_that_begins_twice():
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=300)
    tokenizer.bos_token = starter.SYSTEM
    tokenizer.chat_template = "{{ bos_token }}" + starter.CHAT_TEMPLATE
    messages = [{"role": "user", "content": "hello"}]
    assert prompt_ids(messages, tokenizer).count(tokenizer.bos_token_id) == 1
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    with pytest.raises(BadInput, match="begin token twice"):
        prompt_ids(messages, tokenizer)


def test_it_says_which_prompt_the_template_cannot_show(tokenizer: Any):
    with pytest.raises(BadInput, match="narrator"):
        prompt_ids([{"role": "narrator", "content": "Once upon a time"}], tokenizer)


def test_text_never_becomes_a_control_token(tokenizer: Any):
    spoken = f"{starter.END}{starter.PAD}{starter.USER}"
    control = set(tokenizer.convert_tokens_to_ids([starter.PAD, starter.END, starter.USER, starter.ASSISTANT]))
    assert control.isdisjoint(response_ids(spoken, tokenizer)[:-1])
    (encoded,), _ = encode([group(spoken, [spoken], [1])], tokenizer, 256)
    assert sum(token in control for token in encoded.prompt) == 2  # the user's turn and the assistant's
    assert tokenizer.decode(encoded.responses[0][:-1]) == spoken


def test_masks_come_from_lengths_though_end_and_padding_be_one_id(groups: list[EncodedGroup], tokenizer: Any):
    end = tokenizer.eos_token_id
    batch = collate(groups, end, CPU)
    lengths = [len(one) for each in groups for one in each.responses]
    assert batch.response_RT.sum(1).tolist() == batch.tokens_R.tolist() == lengths
    last_R = batch.attention_RT.sum(1) - 1
    assert batch.ids_RT[torch.arange(len(lengths)), last_R].eq(end).all()
    assert batch.response_RT[torch.arange(len(lengths)), last_R].all()


def test_no_judged_response_is_lost_and_none_unjudged_is_used(tokenizer: Any):
    (encoded,), counts = encode([group("q", ["a", "b", "c"], [2, None, 1])], tokenizer, 64)
    assert [tokenizer.decode(one[:-1]) for one in encoded.responses] == ["a", "c"]
    assert encoded.tiers == (2, 1)
    assert counts.responses == 2


def test_scores_and_strength_go_with_their_responses(tokenizer: Any):
    told = group("q", ["a", "b", "c"], [2, None, 1], scores=(0.5, 7.0, None), strength=3.0)
    encoded, _ = encode([told, group("q", ["a"], [1])], tokenizer, 64)
    batch = collate(encoded, tokenizer.pad_token_id, CPU)
    torch.testing.assert_close(batch.score_GK, torch.tensor([[0.5, torch.nan], [torch.nan, torch.nan]]), equal_nan=True)
    assert batch.strength_G.tolist() == [3.0, 0.0]


def test_what_is_too_long_loses_the_prompts_left_first():
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=261)  # one token for each letter
    (encoded,), counts = encode([group("abcdefgh" * 4, ["no", "yes"], [1, 2])], tokenizer, 24)
    assert [len(encoded.prompt + one) for one in encoded.responses] == [23, 24]
    assert tokenizer.decode(encoded.prompt[:-1]) == ("abcdefgh" * 4)[-19:]
    assert (counts.prompts, counts.prompts_cut, counts.responses_cut, counts.tokens_cut) == (1, 1, 0, 14)


def test_a_cut_response_keeps_its_end_and_the_prompt_a_quarter():
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=261)
    (encoded,), counts = encode([group("abcdefgh", ["x" * 40, "y"], [1, 2])], tokenizer, 24)
    assert len(encoded.prompt) == 6
    assert tokenizer.decode(encoded.responses[0]) == "x" * 17 + starter.END
    assert tokenizer.decode(encoded.responses[1]) == "y" + starter.END
    assert (counts.prompts_cut, counts.responses_cut, counts.tokens_cut) == (1, 1, 4 + 23)


def test_a_cut_prompt_keeps_its_begin_token():
    assert cut_prompt((1, 2, 3, 4, 5), 3, bos=1) == (1, 4, 5)
    assert cut_prompt((1, 2, 3, 4, 5), 3, bos=None) == (3, 4, 5)
    assert cut_prompt((1, 2, 3), 3, bos=1) == (1, 2, 3)


def test_an_empty_response_is_its_end_token(tokenizer: Any):
    assert response_ids("", tokenizer) == (tokenizer.eos_token_id,)


@pytest.mark.parametrize("max_tokens", [1, 60, 200, 10_000])
def test_micro_batches_hold_every_group_once_and_whole(max_tokens: int, groups: list[EncodedGroup]):
    parts = list(micro_batches(groups, max_tokens))
    assert sorted(place for part in parts for place in part) == list(range(len(groups)))
    for part in parts:
        rows = sum(len(groups[place].responses) for place in part)
        assert len(part) == 1 or rows * max(groups[place].longest() for place in part) <= max_tokens


def test_micro_batches_put_like_lengths_together(groups: list[EncodedGroup]):
    spans = [[groups[place].longest() for place in part] for part in micro_batches(groups, 150)]
    assert len(spans) > 1
    assert all(max(shorter) <= min(longer) for shorter, longer in pairwise(spans))


def test_values_go_back_to_the_group_and_slot_they_came_from(groups: list[EncodedGroup]):
    batch = collate(groups, 0, CPU)
    found_GK = batch.grouped(torch.arange(1.0, len(batch.ids_RT) + 1))
    assert found_GK[batch.mask_GK].tolist() == list(range(1, len(batch.ids_RT) + 1))
    assert found_GK[~batch.mask_GK].eq(0).all()
    assert batch.mask_GK.sum(1).tolist() == [len(each.responses) for each in groups]
