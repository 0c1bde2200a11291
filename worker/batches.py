"""Groups of token ids → tensors: packed with the prompt shared, or padded with the prompt repeated.

A packed batch is one row without padding, `[prompt | response 1 | … | response K]` for each group; its positions say that
every response follows its prompt, and ``spans`` tell the attention who may look at whom (`attention.py`). A padded batch has
a row of its own for each response and serves every model. Both say in the same words where a response's tokens are
predicted, so nothing after the model's body knows which of the two it was.

Shape key: G groups, K response slots, R responses of all groups, M predicted tokens of all responses, B × T the batch as the
model's body sees it (packed: 1 × all tokens; padded: responses × the longest).
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from worker.attention import Span

Number = float | Tensor
"""A tensor of shape () is read late, and many of them together: whoever reads one of a GPU waits until it has computed it."""


@dataclass(frozen=True, slots=True)
class EncodedGroup:
    """A group as token ids. Each response ends in the end token. ``reference`` holds log π_ref in nats, once known.

    ``scores`` are imported ones, NaN where a response had none, empty where none had; ``strength`` is 0 where nobody said how
    clear the choice was. Of ``truncated`` responses not all is here: their prompt was too long, or they were.
    """

    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    tiers: tuple[int, ...]
    weight: float = 1.0
    reference: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    strength: float = 0.0
    truncated: int = 0

    def longest(self) -> int:
        """Tokens of the prompt with the longest response."""
        return len(self.prompt) + max(map(len, self.responses))

    def tokens(self) -> int:
        """Tokens of the prompt, once, and of all responses."""
        return len(self.prompt) + sum(map(len, self.responses))


@dataclass(frozen=True)
class Batch:
    """Whole groups as tensors. Masks come from lengths, never from ids.

    ``target_M`` are the responses' tokens with their end tokens, response by response; ``at_M`` is the place, in the flattened
    B × T, of the token that predicts each, ``row_M`` the response it belongs to. ``last_R`` is the place of a response's last
    token. ``tokens_R`` counts a response's tokens with its end token. Unknown numbers are NaN: empty slots, responses
    without an imported score, references not measured. ``measured`` takes what is seen on the way, as (sum, count).
    """

    ids_BT: Tensor
    position_BT: Tensor
    attention_BT: Tensor
    spans: tuple[Span, ...]
    at_M: Tensor
    target_M: Tensor
    row_M: Tensor
    last_R: Tensor
    tokens_R: Tensor
    group_R: Tensor
    slot_R: Tensor
    tiers_GK: Tensor
    mask_GK: Tensor
    weight_G: Tensor
    reference_GK: Tensor
    score_GK: Tensor
    strength_G: Tensor
    measured: dict[str, tuple[Number, Number]] = field(default_factory=dict)

    def grouped(self, values_R: Tensor) -> Tensor:
        """One value for each row, put back where the row came from: (G, K), 0 in empty slots. Gradients pass."""
        return values_R.new_zeros(self.tiers_GK.shape).index_put((self.group_R, self.slot_R), values_R)

    def n_tokens(self) -> int:
        """Tokens that the model's body works on, padding left out."""
        return int(self.attention_BT.sum())


def micro_batches(groups: Sequence[EncodedGroup], max_tokens: int, *, packed: bool = False) -> Iterator[list[int]]:
    """Places of groups that go through the model together: at most ``max_tokens``, padding included, groups kept whole.

    Groups of like length come together, so that little of a padded batch is padding. A group that is too large by itself
    goes alone. Every place occurs once.
    """
    together: list[int] = []
    rows = tokens = 0
    for place in sorted(range(len(groups)), key=lambda index: groups[index].longest()):
        group = groups[place]
        rows, tokens = rows + len(group.responses), tokens + group.tokens()
        if together and (tokens if packed else rows * group.longest()) > max_tokens:
            yield together
            together, rows, tokens = [], len(group.responses), group.tokens()
        together.append(place)
    if together:
        yield together


def pack(groups: Sequence[EncodedGroup], device: torch.device, *, ends: bool) -> Batch:
    """One row without padding, every prompt once.

    ``ends`` says whether the end tokens go through the model's body. A reward is read there; a policy predicts them and
    nothing after them, so for a policy they are left out.
    """
    spans: list[Span] = []
    parts: list[tuple[int, ...]] = []
    bases: list[int] = []
    before: list[int] = []
    length = 0
    for group in groups:
        inputs = [response if ends else response[:-1] for response in group.responses]
        spans.append(Span(length, len(group.prompt), tuple(map(len, inputs))))
        parts += [group.prompt, *inputs]
        bases += [0] + [len(group.prompt)] * len(inputs)
        before += [length + len(group.prompt) - 1] * len(inputs)
        length = spans[-1].end
    judged = _judged(groups)
    lengths_P = torch.tensor([len(part) for part in parts])
    first_P = lengths_P.cumsum(0) - lengths_P
    is_response_P = torch.tensor([place > 0 for group in groups for place in range(len(group.responses) + 1)])
    batch = Batch(
        ids_BT=_ids(parts)[None],
        position_BT=torch.arange(length)[None] + (torch.tensor(bases) - first_P).repeat_interleave(lengths_P),
        attention_BT=torch.ones(1, length, dtype=torch.bool),
        spans=tuple(spans),
        at_M=_predicting(first_P[is_response_P], torch.tensor(before), judged["tokens_R"]),
        last_R=(first_P + lengths_P - 1)[is_response_P],
        **judged,
    )
    return _moved(batch, device)


def _ids(parts: Iterable[Sequence[int]]) -> Tensor:
    """Many numbers one after the other; `torch.tensor` takes five times as long for a list."""
    ids = array("q")
    for part in parts:
        ids.extend(part)
    return torch.frombuffer(ids, dtype=torch.int64)


def _predicting(first_R: Tensor, before_R: Tensor, tokens_R: Tensor) -> Tensor:
    """Where each token of a response is predicted: the first one before the response, the others at the one before them."""
    starts_R = tokens_R.cumsum(0) - tokens_R
    at_M = torch.arange(int(tokens_R.sum())) + (first_R - 1 - starts_R).repeat_interleave(tokens_R)
    at_M[starts_R] = before_R
    return at_M


def collate(groups: Sequence[EncodedGroup], pad_id: int, device: torch.device) -> Batch:
    """A row for each response, padded on the right. Padding is never looked at, so ``pad_id`` may be any id."""
    rows = [group.prompt + response for group in groups for response in group.responses]
    prompt_R = torch.tensor([len(group.prompt) for group in groups for _ in group.responses])
    length_R = torch.tensor([len(row) for row in rows])
    place_T = torch.arange(int(length_R.max()))
    attention_RT = place_T < length_R[:, None]
    ids_RT = torch.full(attention_RT.shape, pad_id)
    ids_RT[attention_RT] = _ids(rows)
    predicting_RT = attention_RT & (place_T >= prompt_R[:, None] - 1) & (place_T < length_R[:, None] - 1)
    first_R = torch.arange(len(rows)) * len(place_T)
    batch = Batch(
        ids_BT=ids_RT,
        position_BT=place_T.expand_as(ids_RT),
        attention_BT=attention_RT,
        spans=(),
        at_M=predicting_RT.flatten().nonzero()[:, 0],
        last_R=first_R + length_R - 1,
        **_judged(groups),
    )
    return _moved(batch, device)


def _judged(groups: Sequence[EncodedGroup]) -> dict[str, Any]:
    """What does not depend on how the tokens lie."""
    responses = [response for group in groups for response in group.responses]
    tokens_R = torch.tensor([len(response) for response in responses])
    slots = [(place, slot) for place, group in enumerate(groups) for slot in range(len(group.responses))]
    group_R, slot_R = torch.tensor(slots).T
    tiers_GK = torch.zeros(len(groups), int(slot_R.max()) + 1, dtype=torch.long)
    tiers_GK[group_R, slot_R] = torch.tensor([tier for group in groups for tier in group.tiers])
    reference_GK, score_GK = torch.full((2, *tiers_GK.shape), torch.nan)
    if all(group.reference for group in groups):
        reference_GK[group_R, slot_R] = torch.tensor([logp for group in groups for logp in group.reference])
    known = [group.scores or (math.nan,) * len(group.responses) for group in groups]
    score_GK[group_R, slot_R] = torch.tensor([score for scores in known for score in scores])
    return {
        "target_M": _ids(responses),
        "row_M": torch.arange(len(responses)).repeat_interleave(tokens_R),
        "tokens_R": tokens_R,
        "group_R": group_R,
        "slot_R": slot_R,
        "tiers_GK": tiers_GK,
        "mask_GK": tiers_GK > 0,
        "weight_G": torch.tensor([group.weight for group in groups]),
        "reference_GK": reference_GK,
        "score_GK": score_GK,
        "strength_G": torch.tensor([group.strength for group in groups]),
    }


def _moved(batch: Batch, device: torch.device) -> Batch:
    """A GPU is not waited for: what lies in ordinary memory has been read when the call is back."""
    tensors: dict[str, Any] = {
        name: each.to(device, non_blocking=True) for name, each in vars(batch).items() if isinstance(each, Tensor)
    }
    return replace(batch, **tensors)
