"""The models that a run asks before its first step: its own as the reference or another, a reward model for scores.

Each is loaded, asked once about every response, and let go before training begins. What exactly it was goes into the facts
of the run, like the start model.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from app.errors import BadInput
from worker.base_model import BLANK, Order, start_model
from worker.batches import EncodedGroup
from worker.evaluate import measure, with_reference
from worker.groups import Group
from worker.methods import Method
from worker.methods.settings import IMPORTED, NO_REFERENCE, START, Training
from worker.policy import Kind, Model, adapters_off, pick_device, rewards, spread
from worker.references import kept_reference
from worker.tokens import TRIM, encode

Encoded = list[EncodedGroup]


class Side(NamedTuple):
    """Groups as text and, in the same order, as tokens: those that are trained on, or those that are looked at midway.

    Of few groups, log π_ref is had sooner than the key under which it would be kept.
    """

    examples: Sequence[Group]
    groups: Sequence[EncodedGroup]
    is_kept: bool = True

    def referred_to(self, model: Model) -> "Side":
        """With log π_ref by this model without its adapters, as it is now."""
        if self.is_kept:
            return self._replace(groups=kept_reference(model, self.groups))
        with adapters_off(model):
            return self._replace(groups=with_reference(model, self.groups))


def with_what_models_say(
    method: Method,
    settings: Training,
    sides: Sequence[Side],
    model: Model,
    folder: Path,
    *,
    bounds: Sequence[int] | None = None,
) -> tuple[list[Encoded], dict[str, str]]:
    """Each side's groups with log π_ref and scores as far as the settings want them, and which other models said so, as facts.

    ``bounds`` are the projects whose models may be asked, None for all.
    """
    asked = {}
    if (reference := method.reference(settings)) == START:
        sides = [side.referred_to(model) for side in sides]
    elif reference != NO_REFERENCE:
        sides, asked["reference"] = with_other_reference(reference, sides, model, folder, bounds)
    if settings.scorer() != IMPORTED:
        sides, asked["scored_by"] = with_scores(settings, sides, folder, bounds)
    return [list(side.groups) for side in sides], asked


def with_other_reference(
    words: str, sides: Sequence[Side], model: Model, folder: Path, bounds: Sequence[int] | None = None
) -> tuple[list[Side], str]:
    """The groups with log π_ref by the policy of that name, and what it was. Raises BadInput if it reads text otherwise."""
    other, exactly = _load(words, "policy", folder, bounds, field="reference")
    if other.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        raise BadInput(
            f"“{words}” has another vocabulary than the base model, so it cannot be its reference.", field="reference"
        )
    return [side.referred_to(other) for side in sides], exactly


def with_scores(
    settings: Training, sides: Sequence[Side], folder: Path, bounds: Sequence[int] | None = None
) -> tuple[list[Side], str]:
    """The groups with the scores of a reward model, which reads the same examples with its own tokenizer, and what it was.

    What is too long for it is cut where the run cuts, but never left out: the groups that are trained on were chosen by then.

    Raises BadInput when it has no opinion, as a policy's new reward head has none.
    """
    words = settings.scorer()
    judge, exactly = _load(words, "reward", folder, bounds, field="scores")
    scores = [measure(judge, whole(side.examples, judge, settings), rewards) for side in sides]
    found = {score for side in scores for some in side for score in some}
    if not all(math.isfinite(score) for score in found):
        raise BadInput(f"“{words}” gives scores that are no finite numbers.", field="scores")
    if len(found) == 1:
        raise BadInput(f"“{words}” gives every response the same score; name a reward model.", field="scores")
    return [
        side._replace(groups=[replace(group, scores=some) for group, some in zip(side.groups, given, strict=True)])
        for side, given in zip(sides, scores, strict=True)
    ], exactly


def whole(examples: Sequence[Group], judge: Model, settings: Training) -> list[EncodedGroup]:
    """Each example as another model's tokens: cut as the run says where that leaves it in, else trimmed."""
    cut = [encode([each], judge.tokenizer, settings.max_length, settings.too_long)[0] for each in examples]
    return [
        found[0] if found else encode([each], judge.tokenizer, settings.max_length, TRIM)[0][0]
        for each, found in zip(examples, cut, strict=True)
    ]


def _load(words: str, kind: Kind, folder: Path, bounds: Sequence[int] | None, *, field: str) -> tuple[Model, str]:
    if words == BLANK:
        raise BadInput("A blank model has nothing to say about responses; name a checkpoint.", field=field)
    place = folder / field
    place.mkdir()
    try:
        other, exactly = start_model(Order(words, kind, 0, bounds=bounds), (), place, pick_device())
    except BadInput as problem:
        raise BadInput(f"{field}: {problem.message}", field=field) from problem
    return spread(other), exactly
