"""Answers are the most likely ones, the same alone and beside others, and are counted whole."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.small import GROUPS, group, small_model
from worker import answers
from worker.answers import SAMPLE_CHARACTERS, SAMPLES, Answer, answer_figures, greedy, questions_in
from worker.tokens import prompt_ids


def test_an_answer_is_the_same_alone_and_beside_others(tokenizer: Any):
    model = small_model("policy", tokenizer, initializer_range=0.5)
    prompts = [prompt_ids(each.prompt, tokenizer) for each in GROUPS]
    together = greedy(model, prompts, max_new_tokens=6)
    assert together == [greedy(model, [prompt], max_new_tokens=6)[0] for prompt in prompts]
    assert len({answer.text for answer in together}) > 1


def test_it_answers_with_the_most_likely_tokens_until_the_end_token(tokenizer: Any):
    model = small_model("policy", tokenizer, initializer_range=0.5)
    prompt = prompt_ids(GROUPS[0].prompt, tokenizer)
    ids = list(prompt)
    for _ in range(6):
        with torch.no_grad():
            ids.append(int(model.network(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    text = tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True)
    assert greedy(model, [prompt], max_new_tokens=6) == [Answer(text, 6, has_ended=False)]


def test_its_length_is_counted_up_to_its_end(tokenizer: Any, monkeypatch: pytest.MonkeyPatch):
    """A network that writes two tokens and ends, beside one that never ends."""
    model = small_model("policy", tokenizer)
    end, pad, word = tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer("fox", add_special_tokens=False)
    (one, *_) = word["input_ids"]
    rows = torch.tensor([[0, one, one, end, pad, pad], [0, one, one, one, one, one]])
    monkeypatch.setattr(model.network, "generate", lambda **_: rows)
    ended, endless = greedy(model, [(0,), (0,)], max_new_tokens=5)
    assert (ended.tokens, ended.has_ended) == (3, True)
    assert (endless.tokens, endless.has_ended) == (5, False)


def answering(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    monkeypatch.setattr(answers, "greedy", lambda *_, **__: [Answer(text, len(text), bool(text)) for text in texts])


def test_right_is_exactly_the_answer_but_for_space_around_it(tokenizer: Any, monkeypatch: pytest.MonkeyPatch):
    asked = [group(f"q{number}", ["a", "b"], [1, 2], answer="12") for number in range(4)]
    answering(monkeypatch, " 12\n", "12.", "", "12")
    figures = answer_figures(small_model("policy", tokenizer), asked, 64)
    assert (figures["right_answers"], figures["questions"]) == (0.5, 4)
    assert figures["answer_tokens"] == (4 + 3 + 0 + 2) / 4
    assert figures["answers_unended"] == 0.25
    assert set(figures["intervals"]) == {"right_answers", "answer_tokens"}
    assert figures["samples"][1] == {"prompt": "q1", "text": "12.", "answer": "12", "right": False}


def test_a_few_samples_are_kept_and_cut(tokenizer: Any, monkeypatch: pytest.MonkeyPatch):
    asked = [group(f"q{number} " * 900, ["a", "b"], [1, 2]) for number in range(SAMPLES + 3)]
    answering(monkeypatch, *["long " * 900] * len(asked))
    figures = answer_figures(small_model("policy", tokenizer), asked, 64)
    assert len(figures["samples"]) == SAMPLES
    assert {len(text) for sample in figures["samples"] for text in sample.values()} == {SAMPLE_CHARACTERS}
    assert "right_answers" not in figures


def test_a_sample_can_be_stored_whatever_a_model_writes(tokenizer: Any, monkeypatch: pytest.MonkeyPatch):
    answering(monkeypatch, "one\0two")
    (sample,) = answer_figures(small_model("policy", tokenizer), [group("q", ["a", "b"], [1, 2])], 64)["samples"]
    assert sample["text"] == "one\ufffdtwo"


def test_prompt_and_answer_stay_within_the_length_of_training(tokenizer: Any):
    model, seen = small_model("policy", tokenizer), []
    generate = model.network.generate

    def watched(input_ids: torch.Tensor, **how: Any) -> Any:
        seen.append(input_ids.shape[1] + how["generation_config"].max_new_tokens)
        return generate(input_ids=input_ids, **how)

    model.network.generate = watched
    answer_figures(model, [group("the quick brown fox " * 90, ["five " * 90, "six"], [1, 2])], 64)
    assert seen == [64]


def test_each_prompt_is_asked_once_and_those_with_an_answer_come_first(monkeypatch: pytest.MonkeyPatch):
    groups = [group("one", ["a", "b"], [1, 2], answer="1"), group("free", ["a", "b"], [1, 2])]
    groups += [replace(groups[0], tiers=(2, 1)), group("two", ["a", "b"], [1, 2], answer="2")]
    assert [each.answer for each in questions_in(groups)] == ["1", "2"]
    monkeypatch.setattr(answers, "QUESTIONS", 1)
    assert [each.answer for each in questions_in(groups)] == ["1"]


def test_without_right_answers_a_few_prompts_are_answered_freely(monkeypatch: pytest.MonkeyPatch):
    groups = [*GROUPS, GROUPS[0], group("all bad", ["a", "b"], [None, None], outcome="all_bad")]
    assert questions_in(groups) == GROUPS
    monkeypatch.setattr(answers, "FREE_PROMPTS", 2)
    assert questions_in(groups) == GROUPS[:2]
