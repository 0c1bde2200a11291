"""What a policy answers to held-out prompts: how much is right, how long it goes on, and samples to read.

    right_answers    share of greedy answers that are exactly the right one, where the dataset's metadata names it
    answer_tokens    mean length of greedy answers in tokens, the end token counted
    answers_unended  share of greedy answers that had not ended when their room was used up

Where code can check answers, up to `QUESTIONS` prompts are answered; elsewhere `FREE_PROMPTS`, to see lengths and to have samples.
The room is twice the longest right answer, or one and a half times the longest best response, and at most `MOST_TOKENS`: a
model whose answers explode fills it. Before and after a run the prompts and the room are the same, so the figures compare.

Shape key: P prompts, T tokens.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from app.intervals import mean_interval, share_interval
from worker.agreement import Figures
from worker.by_prompt import ByPrompt
from worker.groups import Group
from worker.policy import Model
from worker.processes import count, worked_out
from worker.tokens import cut_prompt, prompt_ids

QUESTIONS = 256
"""At most so many distinct prompts are answered in one evaluation where code can check the answers."""
FREE_PROMPTS = 16
ANSWERS_AT_ONCE = 64
MOST_TOKENS = 256
SAMPLES = 8
SAMPLE_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """``tokens`` count the end token, if there is one."""

    text: str
    tokens: int
    has_ended: bool


def questions_in(groups: Iterable[Group]) -> list[Group]:
    """The first groups of each distinct prompt that has one right answer, as many as one evaluation answers.

    Without any, the first groups of so many distinct prompts with a best response, whose lengths are looked at.
    """
    asked: dict[str, Group] = {}
    free: dict[str, Group] = {}
    for group in groups:
        if group.answer is not None and len(asked) < QUESTIONS:
            asked.setdefault(repr(group.prompt), group)
        elif group.best() and len(free) < FREE_PROMPTS:
            free.setdefault(repr(group.prompt), group)
    return list((asked or free).values())


def answer_figures(
    model: Model, questions: Sequence[Group], max_length: int, by_prompt: ByPrompt | None = None
) -> Figures:
    """The figures above with their intervals, the number of questions and a few samples.

    Prompt and answer have ``max_length`` tokens at most, as in training, since some models cannot go on beyond theirs.
    """
    prompts, allowed = prompts_of(model, questions, max_length)
    answers = greedy(model, prompts, max_new_tokens=allowed)
    lengths = [float(answer.tokens) for answer in answers]
    figures: Figures = {
        "questions": len(questions),
        "answer_tokens": sum(lengths) / len(lengths),
        "answers_unended": sum(not answer.has_ended for answer in answers) / len(answers),
        "samples": [_sample(*each) for each in zip(questions, answers, strict=True)][:SAMPLES],
    }
    places = range(len(questions))
    intervals = {"answer_tokens": mean_interval(lengths, places)}
    if questions[0].answer is not None:
        right = [float(is_right(*each)) for each in zip(answers, questions, strict=True)]
        figures["right_answers"] = sum(right) / len(right)
        if by_prompt is not None:
            by_prompt.note("right_answers", right, [repr(question.prompt) for question in questions])
        intervals["right_answers"] = share_interval(right, places)
    return figures | {"intervals": {name: each for name, each in intervals.items() if each is not None}}


def prompts_of(model: Model, questions: Sequence[Group], max_length: int) -> tuple[list[tuple[int, ...]], int]:
    """The questions as tokens, and how many an answer may take."""
    tokenizer, allowed = model.tokenizer, min(room(model, questions), 3 * max_length // 4)
    prompts = [
        cut_prompt(prompt_ids(question.prompt, tokenizer), max_length - allowed, tokenizer.bos_token_id)
        for question in questions
    ]
    return prompts, allowed


def room(model: Model, questions: Sequence[Group]) -> int:
    """How many tokens an answer may take."""

    def longest(texts: Iterable[str]) -> int:
        return max(len(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)

    if questions[0].answer is not None:
        return min(MOST_TOKENS, 2 * longest(str(question.answer) for question in questions) + 4)
    best = longest(text for question in questions for text in question.best())
    return min(MOST_TOKENS, math.ceil(1.5 * best) + 4)


def is_right(answer: Answer, question: Group) -> bool:
    """Whether it is exactly the right answer, but for white space around it."""
    return answer.text.strip() == question.answer


def shown(text: str) -> str:
    """As much of a text as is kept to be read, without the one character that Postgres' JSON does not take."""
    return text[:SAMPLE_CHARACTERS].replace("\0", "\ufffd")


def _sample(question: Group, answer: Answer) -> dict[str, Any]:
    told = {"prompt": question.prompt[-1]["content"][-SAMPLE_CHARACTERS:], "text": shown(answer.text)}
    if question.answer is None:
        return told
    return told | {"answer": question.answer, "right": is_right(answer, question)}


def greedy(model: Model, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> list[Answer]:
    """The most likely next token, again and again until the end token: one answer for each prompt, in order.

    What has no end token within ``max_new_tokens`` is cut there.
    """

    def cut(places: list[int]) -> list[list[int]]:
        order = sorted(places, key=lambda place: len(prompts[place]))
        return [order[start : start + ANSWERS_AT_ONCE] for start in range(0, len(order), ANSWERS_AT_ONCE)]

    def go_on(places: list[int]) -> list[Answer]:
        return _continue(model, [prompts[place] for place in places], max_new_tokens)

    return worked_out([len(prompt) for prompt in prompts], cut, go_on)


@torch.no_grad()
def _continue(model: Model, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> list[Answer]:
    """Prompts padded on the left, so that all of them continue at the same place."""
    pad, end = model.tokenizer.pad_token_id, model.tokenizer.eos_token_id
    width = max(map(len, prompts))
    ids_PT = torch.tensor([(pad,) * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    attention_PT = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device
    )
    how = GenerationConfig(do_sample=False, max_new_tokens=max_new_tokens, pad_token_id=pad, eos_token_id=end)
    made_PT: Any = model.network.generate(
        input_ids=ids_PT, attention_mask=attention_PT, generation_config=how, synced_gpus=count() > 1
    )
    return [_answer(model, row, end) for row in made_PT[:, width:].tolist()]


def _answer(model: Model, ids: list[int], end: int) -> Answer:
    """A row up to its first end token; what follows is padding."""
    has_ended = end in ids
    kept = ids[: ids.index(end) + 1] if has_ended else ids
    return Answer(str(model.tokenizer.decode(kept, skip_special_tokens=True)), len(kept), has_ended)
