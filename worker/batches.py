"""Groups → token tensors: all responses of a group in one forward pass, one padded row for each response.

A prompt is turned into tokens once, by the tokenizer's chat template with the generation prompt, and a response's own
tokens and the end token are appended. So what is trained is, id by id, what a program will sample after; tokenising
prompt and response as one text lets a merge across the border change both. Text never becomes a control token: a prompt
that says "<|end|>" is six characters, not an end.

What is longer than ``max_length`` tokens is cut in this order, and counted: the prompt loses tokens on its left (a first
BOS stays) but keeps a quarter of ``max_length``; then the response loses tokens before its end token, which always stays,
or the model would learn never to stop. All responses of a group are given the same cut prompt.

Left out: packing without padding, and computing a shared prompt once.

Shape key: G groups, K response slots, R rows (responses of all groups), T tokens of the longest row.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor

from app.errors import BadInput
from worker.groups import Group


@dataclass(frozen=True, slots=True)
class EncodedGroup:
    """A group as token ids. Each response ends in the end token. ``reference`` holds log π_ref in nats, once known.

    ``scores`` are imported ones, NaN where a response had none, empty where none had; ``strength`` is 0 where nobody said how clear the choice was.
    """

    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    tiers: tuple[int, ...]
    weight: float = 1.0
    reference: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    strength: float = 0.0

    def longest(self) -> int:
        """Tokens of the prompt with the longest response."""
        return len(self.prompt) + max(map(len, self.responses))


@dataclass(slots=True)
class Truncation:
    """How much of the text did not fit."""

    prompts: int = 0
    prompts_cut: int = 0
    responses: int = 0
    responses_cut: int = 0
    tokens_cut: int = 0


@dataclass(frozen=True)
class Batch:
    """Rows padded on the right. Masks come from lengths, never from ids; ``response_RT`` includes the end token.

    ``tokens_R`` counts a response's tokens with its end token. Unknown numbers are NaN: empty slots, responses without an
    imported score, references not measured.
    """

    ids_RT: Tensor
    attention_RT: Tensor
    response_RT: Tensor
    tokens_R: Tensor
    group_R: Tensor
    slot_R: Tensor
    tiers_GK: Tensor
    mask_GK: Tensor
    weight_G: Tensor
    reference_GK: Tensor
    score_GK: Tensor
    strength_G: Tensor

    def grouped(self, values_R: Tensor) -> Tensor:
        """One value for each row, put back where the row came from: (G, K), 0 in empty slots. Gradients pass."""
        return values_R.new_zeros(self.tiers_GK.shape).index_put((self.group_R, self.slot_R), values_R)


def encode(groups: Sequence[Group], tokenizer: Any, max_length: int) -> tuple[list[EncodedGroup], Truncation]:
    """Every group as tokens, its judged responses only, with the count of what was cut. Raises BadInput."""
    counts = Truncation()
    return [_encode_group(group, tokenizer, max_length, counts) for group in groups], counts


def _encode_group(group: Group, tokenizer: Any, max_length: int, counts: Truncation) -> EncodedGroup:
    judged = [place for place, tier in enumerate(group.tiers) if tier is not None]
    responses = [response_ids(group.responses[place], tokenizer) for place in judged]
    prompt = prompt_ids(group.prompt, tokenizer)
    longest = max((len(ids) for ids in responses), default=0)
    room = max(max_length - longest, max_length // 4)
    kept = cut_prompt(prompt, room, tokenizer.bos_token_id)
    fitting = [_cut_response(ids, max_length - len(kept)) for ids in responses]
    counts.prompts += 1
    counts.prompts_cut += len(kept) < len(prompt)
    counts.responses += len(responses)
    counts.responses_cut += sum(len(new) < len(old) for new, old in zip(fitting, responses, strict=True))
    counts.tokens_cut += len(prompt) - len(kept) + sum(map(len, responses)) - sum(map(len, fitting))
    scores = [math.nan if score is None else score for score in group.scores]
    return EncodedGroup(
        kept,
        tuple(fitting),
        tuple(tier for tier in group.tiers if tier is not None),
        group.weight,
        scores=tuple(scores[place] for place in judged) if scores else (),
        strength=group.strength,
    )


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


def cut_prompt(ids: tuple[int, ...], room: int, bos: int | None) -> tuple[int, ...]:
    """The last ``room`` tokens of a prompt, still behind its begin token where it had one."""
    if len(ids) <= room:
        return ids
    start = ids[:1] if ids[0] == bos else ()
    return start + ids[len(ids) - room + len(start) :]


def _cut_response(ids: tuple[int, ...], room: int) -> tuple[int, ...]:
    return ids if len(ids) <= room else (*ids[: room - 1], ids[-1])


def micro_batches(groups: Sequence[EncodedGroup], max_tokens: int) -> Iterator[list[int]]:
    """Places of groups that go through the model together: at most ``max_tokens`` with padding, groups kept whole.

    Groups of like length come together, so that little of a batch is padding. A group that is too large by itself goes
    alone. Every place occurs once.
    """
    together: list[int] = []
    rows = 0
    for place in sorted(range(len(groups)), key=lambda index: groups[index].longest()):
        rows += len(groups[place].responses)
        if together and rows * groups[place].longest() > max_tokens:
            yield together
            together, rows = [], len(groups[place].responses)
        together.append(place)
    if together:
        yield together


def collate(groups: Sequence[EncodedGroup], pad_id: int, device: torch.device) -> Batch:
    """One batch of whole groups. Padding is never looked at, so ``pad_id`` may be any id of the vocabulary."""
    rows = [group.prompt + response for group in groups for response in group.responses]
    prompt_R = torch.tensor([len(group.prompt) for group in groups for _ in group.responses])
    length_R = torch.tensor([len(row) for row in rows])
    place_T = torch.arange(int(length_R.max()))
    attention_RT = place_T < length_R[:, None]
    ids_RT = torch.full(attention_RT.shape, pad_id)
    ids_RT[attention_RT] = torch.tensor([token for row in rows for token in row])
    slots = [(place, slot) for place, group in enumerate(groups) for slot in range(len(group.responses))]
    group_R, slot_R = torch.tensor(slots).T
    tiers_GK = torch.zeros(len(groups), int(slot_R.max()) + 1, dtype=torch.long)
    tiers_GK[group_R, slot_R] = torch.tensor([tier for group in groups for tier in group.tiers])
    reference_GK, score_GK = torch.full((2, *tiers_GK.shape), torch.nan)
    if all(group.reference for group in groups):
        reference_GK[group_R, slot_R] = torch.tensor([logp for group in groups for logp in group.reference])
    known = [group.scores or (math.nan,) * len(group.responses) for group in groups]
    score_GK[group_R, slot_R] = torch.tensor([score for scores in known for score in scores])
    batch = Batch(
        ids_RT=ids_RT,
        attention_RT=attention_RT,
        response_RT=attention_RT & (place_T >= prompt_R[:, None]),
        tokens_R=length_R - prompt_R,
        group_R=group_R,
        slot_R=slot_R,
        tiers_GK=tiers_GK,
        mask_GK=tiers_GK > 0,
        weight_G=torch.tensor([group.weight for group in groups]),
        reference_GK=reference_GK,
        score_GK=score_GK,
        strength_G=torch.tensor([group.strength for group in groups]),
    )
    return replace(batch, **{name: tensor.to(device) for name, tensor in vars(batch).items()})
