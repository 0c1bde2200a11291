"""Whether a base model may be given packed batches, seen on the run's own longest rows before the first step.

Packed, a response meets its prompt through `attention.py` and through its positions. A model honours that if its attention
goes through `transformers`' attention interface and looks at nothing but keys and positions. A window over the last tokens,
a state carried from token to token or a bias by distance in memory does not survive packing. No list of architectures would stay
true, so the hidden states of the packed batch are held against those of the padded one: they are equal, or the run
takes padded batches and says so.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from worker import attention
from worker.batches import EncodedGroup
from worker.policy import Model, hidden

LOOKED_AT = 4
"""Groups that are compared: those with the longest rows, where a window would show."""
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2}
"""Largest difference allowed, as a share of the largest hidden state; a mask that is not honoured is far above."""

SHARED = "each prompt once for all its responses"


def with_shared_prompts(model: Model, groups: Sequence[EncodedGroup]) -> tuple[Model, str]:
    """The model, packed if it honours that, and in words for the run's facts how its prompts are computed."""
    longest = sorted(groups, key=lambda group: -group.longest())[:LOOKED_AT]
    packed = replace(model, shares_prompts=True)
    was = model.network.config._attn_implementation  # noqa: SLF001 -- transformers has no other name for it
    try:
        model.network.set_attn_implementation(attention.NAME)
        why = _difference(model, packed, longest)
    except torch.OutOfMemoryError:
        raise
    except (attention.Rejected, TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError) as problem:
        why = f"it cannot take packed rows ({type(problem).__name__}: {problem})"
    if not why:
        return packed, SHARED
    model.network.set_attn_implementation(was)
    return model, f"each prompt again for each response, with padding: of this base model, {why}"


@torch.no_grad()
def _difference(model: Model, packed: Model, groups: Sequence[EncodedGroup]) -> str:
    """What is wrong with packed rows; nothing if nothing is."""
    if model.kind == "reward" and not isinstance(getattr(model.network, "score", None), nn.Module):
        return "the reward head is not where packed rows would need it"
    for group in groups:
        alone, together = (_read(each, [group]) for each in (model, packed))
        difference = float((alone - together).abs().max() / alone.abs().max())
        if not difference <= TOLERANCE.get(alone.dtype, TOLERANCE[torch.float32]):
            return f"the hidden states of packed and padded rows differ by {difference:.2g} of their size"
    return ""


def _read(model: Model, groups: Sequence[EncodedGroup]) -> Tensor:
    """The hidden states that are read of: a policy's where tokens are predicted, a reward model's at the last ones."""
    batch = model.batch(groups)
    return hidden(model, batch).index_select(0, batch.last_R if model.kind == "reward" else batch.at_M)
