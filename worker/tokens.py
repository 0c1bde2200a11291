"""Text → token ids: what is trained is, id by id, what a program will sample after.

A prompt is turned into tokens once, by the tokenizer's chat template with the generation prompt, and a response's own
tokens and the end token are appended. Tokenising prompt and response as one text would let a merge across the border change
both; responses where that would have happened are counted, since other programs may have trained on them. Text never
becomes a control token: a prompt that says "<|end|>" is six characters, not an end.

What is longer than ``max_length`` tokens is dealt with as the run's setting ``too_long`` says, and counted:

    trim      the prompt loses tokens on its left (a first BOS stays) but keeps a quarter of ``max_length``; then the responses
              lose tokens before their end token
    prompt    the prompt alone is cut, down to that quarter; a group with a response that still does not fit is dropped
    response  the responses alone are cut; a group whose prompt leaves them less than a quarter is dropped
    drop      the group is dropped

The end token always stays, or the model would learn never to stop. All responses of a group are given the same cut prompt.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import TemplateError

from app.errors import BadInput
from worker.batches import EncodedGroup
from worker.groups import Group

TRIM, DROP, PROMPT, RESPONSE = TOO_LONG = ("trim", "drop", "prompt", "response")
BORDER_CHARACTERS = 48
"""How much of the text on each side of the border is looked at for a merge across it."""


@dataclass(slots=True)
class Truncation:
    """How much of the text did not fit. ``dropped`` are the places of the groups that were left out.

    ``borders_merged`` counts responses whose first token would have been another one had prompt and response been one text.
    """

    prompts: int = 0
    prompts_cut: int = 0
    responses: int = 0
    responses_cut: int = 0
    tokens_cut: int = 0
    borders_merged: int = 0
    dropped: tuple[int, ...] = ()

    def as_facts(self) -> dict[str, int]:
        """Counts alone, for the run's row."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "dropped"} | {
            "groups_dropped": len(self.dropped)
        }


def encode(
    groups: Sequence[Group], tokenizer: Any, max_length: int, too_long: str = TRIM
) -> tuple[list[EncodedGroup], Truncation]:
    """The groups that fit as tokens, their judged responses only, with the count of what was cut. Raises BadInput."""
    counts = Truncation()
    found = []
    for place, group in enumerate(groups):
        encoded = cut(in_full(group, tokenizer), max_length, too_long, tokenizer.bos_token_id, counts)
        if encoded is None:
            counts.dropped += (place,)
        else:
            counts.borders_merged += borders_merged(group, tokenizer)
            found.append(encoded)
    return found, counts


def in_full(group: Group, tokenizer: Any) -> EncodedGroup:
    """A group's prompt and judged responses as tokens, however many they are."""
    judged = _judged(group)
    scores = [math.nan if score is None else score for score in group.scores]
    return EncodedGroup(
        prompt_ids(group.prompt, tokenizer),
        tuple(response_ids(group.responses[place], tokenizer) for place in judged),
        tuple(tier for tier in group.tiers if tier is not None),
        group.weight,
        scores=tuple(scores[place] for place in judged) if scores else (),
        strength=group.strength,
    )


def _judged(group: Group) -> list[int]:
    return [place for place, tier in enumerate(group.tiers) if tier is not None]


def cut(
    group: EncodedGroup, max_length: int, too_long: str, bos: int | None, counts: Truncation
) -> EncodedGroup | None:
    """The group within ``max_length`` tokens, or None for one that is left out; what was cut is added to ``counts``."""
    fitted = fit(group.prompt, group.responses, max_length, too_long, bos)
    if fitted is None:
        return None
    kept, fitting = fitted
    prompt_cut = len(kept) < len(group.prompt)
    responses_cut = sum(len(new) < len(old) for new, old in zip(fitting, group.responses, strict=True))
    counts.prompts += 1
    counts.prompts_cut += prompt_cut
    counts.responses += len(fitting)
    counts.responses_cut += responses_cut
    counts.tokens_cut += len(group.prompt) - len(kept)
    counts.tokens_cut += sum(map(len, group.responses)) - sum(map(len, fitting))
    truncated = len(fitting) if prompt_cut else responses_cut
    return replace(group, prompt=kept, responses=tuple(fitting), truncated=truncated)


def fit(
    prompt: tuple[int, ...], responses: Sequence[tuple[int, ...]], max_length: int, too_long: str, bos: int | None
) -> tuple[tuple[int, ...], list[tuple[int, ...]]] | None:
    """Prompt and responses within ``max_length`` tokens, or None for a group that is left out."""
    longest = max(map(len, responses), default=0)
    if len(prompt) + longest <= max_length:
        return prompt, list(responses)
    quarter = max_length // 4
    if too_long == DROP or (too_long == PROMPT and longest > max_length - quarter):
        return None
    if too_long == RESPONSE:
        room = max_length - len(prompt)
        return None if room < quarter else (prompt, [_cut_response(ids, room) for ids in responses])
    kept = cut_prompt(prompt, max(max_length - longest, quarter), bos)
    return kept, [_cut_response(ids, max_length - len(kept)) for ids in responses]


def prompt_ids(messages: Sequence[Any], tokenizer: Any) -> tuple[int, ...]:
    """A conversation up to where the response begins. Raises BadInput if the chat template cannot render it."""
    try:
        ids = tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
        )
    except TemplateError as problem:
        raise BadInput(
            f"The base model's chat template cannot show this prompt ({problem}): {messages!r:.200}"
        ) from problem
    bos = tokenizer.bos_token_id
    if bos is not None and list(ids[:2]) == [bos, bos]:
        raise BadInput(
            "The base model's chat template writes its begin token twice, so it would be trained on prompts it never sees."
        )
    return tuple(ids)


def response_ids(text: str, tokenizer: Any) -> tuple[int, ...]:
    """A response's tokens and the end token."""
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return (*ids, tokenizer.eos_token_id)


def borders_merged(group: Group, tokenizer: Any) -> int:
    """Of how many responses the tokens would cross the border, were prompt and response one text.

    Merges are local, so a little text on each side of the border decides.
    """
    text = tokenizer.apply_chat_template(list(group.prompt), add_generation_prompt=True, tokenize=False)
    before = text[-BORDER_CHARACTERS:]

    def ids(some: str) -> list[int]:
        found: list[int] = tokenizer(some, add_special_tokens=False)["input_ids"]
        return found

    alone = ids(before)
    heads = [group.responses[place][:BORDER_CHARACTERS] for place in _judged(group)]
    return sum(ids(before + head)[: len(alone)] != alone for head in heads)


def cut_prompt(ids: tuple[int, ...], room: int, bos: int | None) -> tuple[int, ...]:
    """The last ``room`` tokens of a prompt, still behind its begin token where it had one."""
    if len(ids) <= room:
        return ids
    start = ids[:1] if ids[0] == bos else ()
    return start + ids[len(ids) - room + len(start) :]


def _cut_response(ids: tuple[int, ...], room: int) -> tuple[int, ...]:
    return ids if len(ids) <= room else (*ids[: room - 1], ids[-1])
