"""What a checkpoint is worth, on groups it was not trained on.

Everything here can be had again from the published folder with plain `transformers`: rewards are the model's own logits,
log-probabilities those of the response's tokens with the end token after the chat template's prompt, answers are greedy.

    accuracy        share of ordered pairs whose better response has the higher score; equal scores count half
    margin          mean over these pairs of the score's lead: in units of reward, or for a policy in nats
    best_logp       policies: mean log-probability of the best responses, nats per response
    right_answers   policies, on tasks that code can check: share of prompts whose greedy answer is exactly right

A policy's score is its implicit reward without β: log π(a|x) − log π_ref(a|x), with the start model as the reference. All are
sums divided by counts at the end, so they do not depend on the batch size, and the counts are reported with them.

Shape key: R rows (responses) of a batch, G groups, K response slots, P prompts, T tokens.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from worker.batches import Batch, EncodedGroup
from worker.groups import Group
from worker.objectives.ranking import pair_counts
from worker.policy import Model, logp, rewards
from worker.tokens import prompt_ids

QUESTIONS = 256
"""At most so many distinct prompts are answered in one evaluation."""
ANSWERS_AT_ONCE = 64

Measure = Callable[[Model, Batch], Tensor]
Figures = dict[str, float]


@torch.no_grad()
def measure(model: Model, groups: Sequence[EncodedGroup], what: Measure) -> list[tuple[float, ...]]:
    """One number for each response of each group, in the groups' order."""
    found: list[tuple[float, ...]] = [()] * len(groups)
    for places in model.batches(groups):
        values = iter(what(model, model.batch([groups[place] for place in places])).tolist())
        for place in places:
            found[place] = tuple(next(values) for _ in groups[place].responses)
    return found


def with_reference(model: Model, groups: Sequence[EncodedGroup]) -> list[EncodedGroup]:
    """The groups with log π_ref of every response, by the model as it is now: called before the first step."""
    logps = measure(model, groups, logp)
    return [replace(group, reference=values) for group, values in zip(groups, logps, strict=True)]


def reward_figures(model: Model, groups: Sequence[EncodedGroup]) -> Figures:
    """Accuracy and margin of a reward model."""
    return order_figures(measure(model, groups, rewards), [group.tiers for group in groups])


def policy_figures(model: Model, groups: Sequence[EncodedGroup], questions: Sequence[Group] = ()) -> Figures:
    """Accuracy and margin of the implicit reward against ``group.reference``; how likely the best responses are; answers."""
    logps = measure(model, groups, logp)
    scores = [
        tuple(now - before for now, before in zip(values, group.reference, strict=True))
        for values, group in zip(logps, groups, strict=True)
    ]
    best = [
        value
        for values, group in zip(logps, groups, strict=True)
        for value, tier in zip(values, group.tiers, strict=True)
        if tier == min(group.tiers)
    ]
    figures = order_figures(scores, [group.tiers for group in groups])
    if best:
        figures["best_logp"] = sum(best) / len(best)
    if questions:
        figures["right_answers"] = share_right(model, questions)
        figures["questions"] = len(questions)
    return figures


def order_figures(scores: Sequence[tuple[float, ...]], tiers: Sequence[tuple[int, ...]]) -> Figures:
    """Accuracy and margin over all ordered pairs of all groups. Without any pair there is only the count."""
    right, margin, pairs = 0.0, 0.0, 0
    for group_scores, group_tiers in zip(scores, tiers, strict=True):
        scores_GK = torch.tensor([group_scores], dtype=torch.float64)
        tiers_GK = torch.tensor([group_tiers])
        found = pair_counts(scores_GK, tiers_GK, torch.ones_like(tiers_GK, dtype=torch.bool))
        right, margin, pairs = right + float(found[0]), margin + float(found[1]), pairs + int(found[2])
    counts: Figures = {"groups": len(scores), "pairs": pairs}
    return counts if not pairs else {"accuracy": right / pairs, "margin": margin / pairs, **counts}


def questions_in(groups: Iterable[Group]) -> list[Group]:
    """The first groups of each distinct prompt that has one right answer, as many as one evaluation answers."""
    distinct: dict[str, Group] = {}
    for group in groups:
        if group.answer is not None and len(distinct) < QUESTIONS:
            distinct.setdefault(repr(group.prompt), group)
    return list(distinct.values())


def share_right(model: Model, questions: Sequence[Group]) -> float:
    """Share of greedy answers that are the right one, but for white space around it."""
    prompts = [prompt_ids(question.prompt, model.tokenizer) for question in questions]
    longest = max(
        len(model.tokenizer(question.answer, add_special_tokens=False)["input_ids"]) for question in questions
    )
    answers = greedy(model, prompts, max_new_tokens=min(256, 2 * longest + 4))
    right = sum(answer.strip() == question.answer for answer, question in zip(answers, questions, strict=True))
    return right / len(questions)


def greedy(model: Model, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> list[str]:
    """The most likely next token, again and again until the end token: one text for each prompt, in order.

    A text without an end token within ``max_new_tokens`` is cut there.
    """
    texts = [""] * len(prompts)
    for places in _like_lengths(prompts):
        for place, text in zip(
            places, _continue(model, [prompts[place] for place in places], max_new_tokens), strict=True
        ):
            texts[place] = text
    return texts


def _like_lengths(prompts: Sequence[tuple[int, ...]]) -> Iterator[list[int]]:
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    for start in range(0, len(order), ANSWERS_AT_ONCE):
        yield order[start : start + ANSWERS_AT_ONCE]


@torch.no_grad()
def _continue(model: Model, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> list[str]:
    """Prompts padded on the left, so that all of them continue at the same place."""
    pad, end = model.tokenizer.pad_token_id, model.tokenizer.eos_token_id
    width = max(map(len, prompts))
    ids_PT = torch.tensor([(pad,) * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    attention_PT = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device
    )
    how = GenerationConfig(do_sample=False, max_new_tokens=max_new_tokens, pad_token_id=pad, eos_token_id=end)
    made_PT: Any = model.network.generate(input_ids=ids_PT, attention_mask=attention_PT, generation_config=how)
    return [str(text) for text in model.tokenizer.batch_decode(made_PT[:, width:], skip_special_tokens=True)]
