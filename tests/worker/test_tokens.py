"""From text to tokens: what is trained on is what a program samples after."""

from typing import Any

import pytest

from app.errors import BadInput
from tests.small import GROUPS, TEXTS, beginning_tokenizer, group
from worker import starter
from worker.tokens import cut_prompt, encode, fit, prompt_ids, response_ids


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


def test_a_tokenizer_that_begins_every_text_begins_the_prompt_once_and_no_response():
    tokenizer = beginning_tokenizer()
    assert tokenizer("fox")["input_ids"][0] == tokenizer.bos_token_id, (
        "this tokenizer begins nothing, so nothing is tried"
    )
    (encoded,), counts = encode([group("the qui", ["ck brown", ""], [1, 2])], tokenizer, 64)
    assert encoded.prompt.count(tokenizer.bos_token_id) == 1
    assert encoded.prompt[0] == tokenizer.bos_token_id
    assert [one.count(tokenizer.bos_token_id) for one in encoded.responses] == [0, 0]
    assert counts.borders_merged == 0


def test_a_prompt_that_is_cut_still_begins():
    tokenizer = beginning_tokenizer(vocabulary=261)
    (encoded,), counts = encode([group("abcdefgh" * 4, ["no", "yes"], [1, 2])], tokenizer, 24)
    assert counts.prompts_cut == 1
    assert encoded.prompt[0] == tokenizer.bos_token_id


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


def test_no_judged_response_is_lost_and_none_unjudged_is_used(tokenizer: Any):
    (encoded,), counts = encode([group("q", ["a", "b", "c"], [2, None, 1])], tokenizer, 64)
    assert [tokenizer.decode(one[:-1]) for one in encoded.responses] == ["a", "c"]
    assert encoded.tiers == (2, 1)
    assert counts.responses == 2


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


@pytest.mark.parametrize(
    ("too_long", "prompt", "responses", "kept"),
    [
        ("trim", 12, [4, 9], (7, [4, 9])),
        ("prompt", 12, [4, 9], (7, [4, 9])),
        ("response", 12, [4, 9], (12, [4, 4])),
        ("drop", 12, [4, 9], None),
        ("trim", 12, [14, 3], (4, [12, 3])),
        ("prompt", 12, [14, 3], None),
        ("response", 13, [14, 3], None),
        *((name, 12, [4, 3], (12, [4, 3])) for name in ("trim", "prompt", "response", "drop")),
    ],
)
def test_what_is_too_long_is_cut_or_dropped_as_the_run_says(
    too_long: str, prompt: int, responses: list[int], kept: tuple[int, list[int]] | None
):
    """Of 16 tokens a quarter is 4; the end token is −1 and stays."""
    told = [(*range(100, 100 + length - 1), -1) for length in responses]
    found = fit(tuple(range(prompt)), told, 16, too_long, bos=None)
    if kept is None:
        assert found is None
        return
    assert (len(found[0]), [len(one) for one in found[1]]) == kept
    assert found[0][-1] == prompt - 1
    assert all(one[-1] == -1 for one in found[1])


def test_dropped_groups_are_counted_and_named():
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=261)
    groups = [group("q", ["a", "b"], [1, 2]), group("q" * 40, ["a", "b"], [1, 2]), group("r", ["a", "b"], [1, 2])]
    found, counts = encode(groups, tokenizer, 24, "drop")
    assert [tokenizer.decode(each.prompt[1:2]) for each in found] == ["q", "r"]
    assert counts.dropped == (1,)
    assert counts.as_facts() == {
        "prompts": 2,
        "prompts_cut": 0,
        "responses": 4,
        "responses_cut": 0,
        "tokens_cut": 0,
        "borders_merged": 0,
        "groups_dropped": 1,
    }


def test_it_counts_the_responses_that_one_text_would_have_merged_with_their_prompt():
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=300)
    some = [group("the qui", ["ck brown", "!"], [1, 2]), group("hello", ["?", "!"], [1, 2])]
    assert encode(some, tokenizer, 64)[1].borders_merged == 0  # a token of its own begins the answer
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    assert encode(some, tokenizer, 64)[1].borders_merged == 1
