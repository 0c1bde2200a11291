"""The shapes of a record, and the words for what is wrong with one."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.errors import BadRecord
from app.imports.formats import Record, recognise


def texts(record: Record) -> list[str]:
    return [response.text for response in record.group.responses]


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def test_it_reads_a_prompt_with_responses():
    record = recognise({"prompt": "p", "responses": ["a", "b", "c"], "id": 7})
    assert record.group.messages == [user("p")]
    assert texts(record) == ["a", "b", "c"]
    assert record.group.external_id == "7"
    assert record.tiers == ()


def test_it_reads_everything_a_response_may_carry():
    first = {"text": "a", "model": "m1", "score": 2, "tier": 2, "sampling": {"temperature": 0.5}}
    record = recognise(
        {
            "prompt": [user("p")],
            "responses": [first, {"text": "b", "tier": 1}],
            "annotator": " Ada ",
            "metadata": {"k": 1},
        }
    )
    response = record.group.responses[0]
    assert (response.model, response.score, response.sampling) == ("m1", 2.0, {"temperature": 0.5})
    assert record.tiers == (2, 1)
    assert record.annotator == "Ada"
    assert record.group.metadata == {"k": 1}


def test_it_reads_responses_that_are_messages():
    record = recognise({"prompt": "p", "responses": [assistant("a"), [assistant("b")]]})
    assert texts(record) == ["a", "b"]


def test_chosen_and_rejected_are_a_judgment():
    record = recognise({"prompt": "p", "chosen": "good", "rejected": "bad"})
    assert texts(record) == ["good", "bad"]
    assert record.tiers == (1, 2)


def test_keys_without_a_meaning_of_their_own_go_into_the_metadata():
    record = recognise(
        {"prompt": "p", "chosen": "a", "rejected": "b", "split": "test", "votes_for": 3, "metadata": {"split": "train"}}
    )
    assert record.group.metadata == {"split": "train", "votes_for": 3}


def test_the_prompt_of_two_transcripts_is_what_they_begin_with():
    begin = "\n\nHuman: One?\n\nAssistant: Two.\n\nHuman: Three?\n\nAssistant:"
    record = recognise({"chosen": begin + " yes", "rejected": begin + " no"})
    assert record.group.messages == [user("One?"), assistant("Two."), user("Three?")]
    assert texts(record) == ["yes", "no"]


def test_two_transcripts_and_a_prompt_with_two_responses_are_the_same_item():
    begin = "\n\nHuman: One?\n\nAssistant:"
    implied = recognise({"chosen": begin + " yes", "rejected": begin + " no"})
    given = recognise({"prompt": "Human: One?\n\nAssistant:", "chosen": "yes", "rejected": "no"})
    whole = recognise({"prompt": begin, "chosen": begin + " yes", "rejected": begin + " no"})
    assert implied == given == whole


@pytest.mark.parametrize("prompt", [None, "p", [user("p")], [{"role": "system", "content": "s"}, user("p")]])
def test_chosen_and_rejected_as_messages_may_hold_the_conversation(prompt: Any):
    conversation = [{"role": "system", "content": "s"}, user("p")]
    record = recognise(
        {"prompt": prompt, "chosen": [*conversation, assistant("a")], "rejected": [*conversation, assistant("b")]}
    )
    assert record.group.messages == conversation
    assert texts(record) == ["a", "b"]


def test_chosen_and_rejected_as_messages_may_hold_the_response_alone():
    record = recognise({"prompt": [user("p")], "chosen": [assistant("a")], "rejected": [assistant("b")]})
    assert record.group.messages == [user("p")]
    assert texts(record) == ["a", "b"]


def test_a_response_may_itself_look_like_a_transcript():
    play = "Human: To be?\n\nAssistant: Or not."
    assert texts(recognise({"prompt": "Write a play", "chosen": play, "rejected": "No."})) == [play, "No."]


BEGIN = "\n\nHuman: One?\n\nAssistant:"
PAIR = {"prompt": "p", "responses": ["a", "b"]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "this is a number"),
        ([PAIR], "this is a list"),
        (None, "this is nothing"),
        ({}, "no “responses”"),
        ({"prompt": "p"}, "no “responses”"),
        ({"responses": ["a", "b"]}, "there is no “prompt”"),
        ({**PAIR, "prompt": None}, "there is no “prompt”"),
        ({**PAIR, "prompt": "  "}, "“prompt” is empty"),
        ({**PAIR, "prompt": 3}, "text or a list of messages, this is a number"),
        ({**PAIR, "prompt": {}}, "text or a list of messages, this is an object"),
        ({**PAIR, "prompt": [user("a"), assistant("b")]}, "does not end with a message of the user"),
        ({**PAIR, "prompt": [user(" ")]}, "empty message"),
        ({**PAIR, "prompt": "x" * 200_001}, "200,001 characters"),
        ({**PAIR, "prompt": "a\0"}, "“prompt” holds a NUL character at position 2"),
        ({**PAIR, "prompt": "a\ud800"}, "surrogate"),
        ({**PAIR, "responses": {}}, "“responses” must be a list, this is an object"),
        ({**PAIR, "responses": "ab"}, "“responses” must be a list, this is text"),
        ({**PAIR, "responses": []}, "fewer than 2"),
        ({**PAIR, "responses": ["a"]}, "fewer than 2"),
        ({**PAIR, "responses": ["a", " "]}, "responses[1] is empty"),
        ({**PAIR, "responses": ["a", None]}, "responses[1] must be text"),
        ({**PAIR, "responses": ["a", {"txt": "b"}]}, "responses[1] must be text"),
        ({**PAIR, "responses": ["a", user("b")]}, "a message of the user"),
        ({**PAIR, "responses": ["a", {"text": "b", "teir": 1}]}, "unknown key “teir”"),
        ({**PAIR, "responses": ["a", "b", " a\n"]}, "responses 1 and 3 are identical"),
        ({**PAIR, "responses": ["a", {"text": "b", "score": math.nan}]}, "responses[1].score is nan"),
        ({**PAIR, "responses": ["a", {"text": "b", "score": "high"}]}, "score must be a number, this is text"),
        ({**PAIR, "responses": ["a", {"text": "b", "score": True}]}, "score must be a number"),
        ({**PAIR, "responses": ["a", {"text": "b", "tier": 1.5}]}, "tier is “1.5”"),
        ({**PAIR, "responses": ["a", {"text": "b", "tier": True}]}, "a tier is a whole number"),
        ({**PAIR, "responses": ["a", {"text": "b", "tier": -1}]}, "a tier is a whole number"),
        ({**PAIR, "responses": ["a", {"text": "b", "tier": 1}]}, "some responses have a tier"),
        ({**PAIR, "responses": ["a", {"text": "b", "model": 1.5}]}, "“model” must be text"),
        ({**PAIR, "responses": ["a", {"text": "b", "sampling": 3}]}, "sampling must be an object"),
        ({**PAIR, "id": 1.5}, "“id” must be text or a whole number"),
        ({**PAIR, "id": "x" * 501}, "“id” has 501 characters"),
        ({**PAIR, "annotator": ["Ada"]}, "“annotator” must be text"),
        ({**PAIR, "metadata": 5}, "“metadata” must be an object"),
        ({**PAIR, "metadata": "no JSON"}, "not the JSON text of an object"),
        ({**PAIR, "metadata": {"a\0": 1}}, "NUL"),
        ({**PAIR, "metadata": {"a": ["b\0"]}}, "NUL"),
        ({**PAIR, "metadata": {"a": ["x" * 150_000, "x" * 150_000]}}, "the metadata has 300"),
        ({"chosen": "a"}, "no “rejected”"),
        ({"prompt": "p", "rejected": "a"}, "no “chosen”"),
        ({"chosen": "a", "rejected": "b"}, "there is no “prompt”"),
        ({"prompt": "p", "chosen": "a", "rejected": ""}, "“rejected” is empty"),
        ({"prompt": "p", "chosen": "a", "rejected": "a"}, "identical"),
        ({"chosen": BEGIN + " a", "rejected": BEGIN}, "“rejected” is empty"),
        ({"chosen": BEGIN + " a", "rejected": "\n\nHuman: Two?\n\nAssistant: b"}, "the prompt differs"),
        (
            {"prompt": "q", "chosen": [user("p"), assistant("a")], "rejected": [user("p"), assistant("b")]},
            "“prompt” is not in the conversation",
        ),
        ({"chosen": [user("p"), assistant("a")], "rejected": [user("p"), user("b")]}, "a message of the user"),
        ({"prompt": "p", "chosen": [], "rejected": "b"}, "“chosen” must be text"),
    ],
)
def test_it_says_what_is_wrong(value: Any, words: str):
    with pytest.raises(BadRecord) as problem:
        recognise(value)
    assert words in problem.value.message


def test_it_refuses_metadata_that_is_nested_too_deeply():
    deep: Any = "x"
    for _ in range(22):
        deep = [deep]
    with pytest.raises(BadRecord, match="deeper than 20 levels"):
        recognise({**PAIR, "metadata": {"deep": deep}})


_WORDS = some.sampled_from(["", "a", "b\0", "\ud800", BEGIN, BEGIN + " x", "prompt", "text", "é漢"]) | some.text(
    max_size=5
)
_KEYS = some.sampled_from(
    [
        "prompt",
        "responses",
        "chosen",
        "rejected",
        "id",
        "annotator",
        "metadata",
        "text",
        "tier",
        "score",
        "role",
        "content",
    ]
)
_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | _WORDS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(_KEYS | _WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=500, database=None)
@given(_JSON | some.fixed_dictionaries({"prompt": _JSON, "responses": some.lists(_JSON, max_size=3)}))
def test_it_never_breaks(value: Any):
    with suppress(BadRecord):
        assert len(recognise(value).group.responses) >= 2
