"""The loop of training: batches, gradients, AdamW, and what each step measured.

A step looks at ``groups_per_step`` groups, in as many micro-batches as their tokens need. Each micro-batch's summed loss is
divided by the share of the whole step, known before the first backward pass, so it changes nothing how a step is cut up, nor
how many processes work on it (`processes.py`).
Groups come in a new random order in each epoch; the last step of an epoch may be smaller.

The learning rate rises linearly over the first tenth of the steps (at most 100) and then falls linearly to a twentieth of
its peak. Gradients are clipped to norm 1. No weight decay: runs are short, and it would pull a policy away from its start.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from app.errors import BadInput
from worker import embedding, processes
from worker.batches import EncodedGroup, Number
from worker.groups import Group
from worker.memory import is_out_of_memory
from worker.methods import START, Method
from worker.methods.settings import SMALLER, Training
from worker.methods.tally import Tally
from worker.policy import Model
from worker.processes import gathered, in_step, own_share, plain

CLIP_NORM = 1.0
START_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 2e-2}
"""Nats per token by which log-probabilities of the same text differ at most from one batch to another, whose shapes have products
summed in another order; a dropout that was left on is far above."""
LAST_RATE = 0.05

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """``number`` counts from 0. ``figures`` hold loss, and for preferences accuracy and margin, of this step's groups.

    ``truncated`` counts the responses among them of which not all fitted. ``model`` is the one that was given, with
    smaller micro-batches from where memory ran out.
    """

    number: int
    total: int
    figures: Figures
    seconds_left: float
    model: Model


def count_steps(n_groups: int, settings: Training) -> int:
    return settings.max_steps or settings.epochs * math.ceil(n_groups / settings.groups_per_step)


def within_reach(groups: Sequence[Group], settings: Training) -> list[Group]:
    """The groups that a run can get to see: of a short run on a large dataset a draw, so that no more is prepared for it."""
    seen = settings.max_steps * settings.groups_per_step
    if not settings.max_steps or seen >= len(groups):
        return list(groups)
    return random.Random(settings.seed).sample(groups, seen)  # noqa: S311 -- as in `_chosen`


def peak_rate(method: Method, model: Model, settings: Training) -> float:
    """The rate that was asked for, or the method's own, which is for a million weights.

    No one number serves a starter and a model of seven billion weights. Falling with the power ⅔ of the size, the default
    meets what is usual at both ends (DPO: 5e-5 at 1 M, 8e-7 at 0.5 B, 1.4e-7 at 7 B); adapters take ten times as much.
    """
    size = min(1.0, (1e6 / model.n_parameters) ** (2 / 3))
    return settings.learning_rate or method.LEARNING_RATE * size * (10 if settings.lora_rank else 1)


def rate_at(step: int, total: int) -> float:
    """Share of the peak learning rate: linear up over the first tenth of the steps, linear down over the rest."""
    warm_up = max(1, min(100, total // 10))
    if step < warm_up:
        return (step + 1) / warm_up
    return max(LAST_RATE, 1 - (step + 1 - warm_up) / (total - warm_up))


def adamw(model: Model) -> torch.optim.Optimizer:
    """The optimizer before the first step; each step says its rate."""
    return torch.optim.AdamW(model.trainable(), lr=0.0, betas=(0.9, 0.99), weight_decay=0.0, fused=True)


def train_steps(
    model: Model,
    method: Method,
    settings: Training,
    groups: Sequence[EncodedGroup],
    optimizer: torch.optim.Optimizer | None = None,
    done: int = 0,
) -> Iterator[Step]:
    """Train in place, from after ``done`` steps; yields after each. Raises BadInput when loss or gradient is no finite number."""
    total = count_steps(len(groups), settings)
    weights, peak = model.trainable(), peak_rate(method, model, settings)
    optimizer = optimizer or adamw(model)
    began = time.monotonic()
    for number, chosen in islice(zip(range(total), _chosen(len(groups), settings), strict=False), done, None):
        rate = peak * rate_at(number, total)
        for part in optimizer.param_groups:
            part["lr"] = rate
        step_began = time.monotonic()
        figures, model = within_memory(model, method, settings, [groups[place] for place in chosen])
        if number == 0:
            check_start(method, settings, figures, START_TOLERANCE.get(model.precision, START_TOLERANCE[torch.float32]))
        norm = float(plain(torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)))
        if not math.isfinite(norm + figures["loss"]):
            raise BadInput(
                f"At step {number} the loss was {figures['loss']:.4g} and the norm of its gradient {norm:.4g}: training has come "
                "apart. A smaller learning_rate keeps it together."
            )
        optimizer.step()
        optimizer.zero_grad()
        now = time.monotonic()
        figures["tokens_per_second"] = figures.pop("tokens") / max(now - step_began, 1e-9)
        figures |= {"gradient_norm": norm, "learning_rate": rate}
        yield Step(number, total, figures, (now - began) / (number + 1 - done) * (total - number - 1), model)


def within_memory(
    model: Model, method: Method, settings: Training, groups: Sequence[EncodedGroup]
) -> tuple[Figures, Model]:
    """`accumulate`, again with micro-batches of half the size as often as memory runs out: the same gradient up to rounding.

    Not where several processes train, since the others wait in the middle of theirs, and not where every micro-batch is one
    group already. Raises MemoryError then.
    """
    while True:
        try:
            return accumulate(model, method, settings, groups), model
        except (RuntimeError, MemoryError) as problem:
            if not is_out_of_memory(problem):
                raise
            may_be_cut = any(len(places) > 1 for places in model.batches(groups))
            if settings.out_of_memory != SMALLER or processes.count() > 1 or not may_be_cut:
                raise MemoryError(str(problem)) from problem
        # Here, and not above, nothing holds on to what that step had made.
        too_large = model.batches(groups)
        while model.batches(groups) == too_large:
            model = replace(model, halvings=model.halvings + 1)
        for weights in model.trainable():
            weights.grad = None
        if model.device.type == "cuda":
            torch.cuda.empty_cache()
        print(f"no memory left: micro-batches of {model.tokens_at_once()} tokens from here on", flush=True)  # noqa: T201 -- the run's log


class Seen(NamedTuple):
    """What one micro-batch measured: its part of the step's loss, its tokens, and sums with their counts (`Tally`)."""

    loss: float
    tokens: float
    right: float
    margin: float
    pairs: float
    furthest: float | None
    means: dict[str, tuple[float, float]]


def accumulate(model: Model, method: Method, settings: Training, groups: Sequence[EncodedGroup]) -> Figures:
    """Add the gradient of the mean loss of these groups to the weights; returns what they measured."""
    with embedding.added_in_place(model.network):
        figures = gone_through(model, method, settings, groups, lambda part: part.backward())  # type: ignore[no-untyped-call]  # torch does not type it
    return figures | {"truncated": float(sum(group.truncated for group in groups))}


def gone_through(
    model: Model, method: Method, settings: Training, groups: Sequence[EncodedGroup], then: Callable[[Tensor], None]
) -> Figures:
    """What the mean loss of these groups is, and what else they measure; ``then`` is given each micro-batch's part of the loss."""
    share = [groups[place] for place in own_share([group.tokens() for group in groups])]
    batches = [model.batch([share[place] for place in places]) for places in model.batches(share)]
    own = sum(method.share(batch, settings).double() for batch in batches)
    whole = own if processes.count() == 1 else sum(gathered(float(own)))
    told: list[tuple[Tally, Tensor]] = []
    for batch, counts in in_step(batches, lambda: model.batch(groups[:1])):
        tally = method.loss(model, batch, settings)
        part = (tally.loss / whole).to(tally.loss.dtype) if counts else tally.loss * 0
        then(part)
        if counts:
            tally = replace(tally, loss=part.detach(), means=tally.means | batch.measured)
            told.append((tally, batch.attention_BT.sum()))
    return figures_of([each for part in gathered(seen_in(told)) for each in part])


def seen_in(told: Sequence[tuple[Tally, Tensor]]) -> list[Seen]:
    """What micro-batches measured, with their tokens, as numbers; only here a GPU is waited for."""
    flat: list[Number] = []
    for tally, tokens in told:
        furthest = 0.0 if tally.furthest is None else tally.furthest
        flat += [tally.loss, tokens, tally.right, tally.margin, tally.pairs, furthest]
        flat += [number for mean in tally.means.values() for number in mean]
    numbers = iter(as_floats(flat))
    seen = []
    for tally, _ in told:
        loss, n_tokens, right, margin, pairs, far = (next(numbers) for _ in range(6))
        means = {name: (next(numbers), next(numbers)) for name in tally.means}
        seen.append(Seen(loss, n_tokens, right, margin, pairs, None if tally.furthest is None else far, means))
    return seen


def as_floats(numbers: Sequence[Number]) -> list[float]:
    """All of them in one look at the GPU."""
    tensors = [each.detach().double() for each in numbers if isinstance(each, Tensor)]
    values: Iterator[float] = iter(torch.stack(tensors).tolist() if tensors else [])
    return [next(values) if isinstance(each, Tensor) else float(each) for each in numbers]


def figures_of(seen: Sequence[Seen]) -> Figures:
    """A step's figures from all its micro-batches, whoever worked on them."""
    loss = right = margin = 0.0
    pairs = tokens = 0.0
    means: dict[str, tuple[float, float]] = {}
    for each in seen:
        loss, tokens = loss + each.loss, tokens + each.tokens
        right, margin, pairs = right + each.right, margin + each.margin, pairs + each.pairs
        for name, (value, count) in each.means.items():
            before = means.get(name, (0.0, 0.0))
            means[name] = (before[0] + value, before[1] + count)
    furthest = [each.furthest for each in seen if each.furthest is not None]
    figures: Figures = {"loss": loss, "tokens": tokens}
    figures |= {name: value / count for name, (value, count) in means.items() if count}
    figures |= {"largest_log_ratio": max(furthest)} if furthest else {}
    return figures | ({"accuracy": right / pairs, "margin": margin / pairs} if pairs else {})


def check_start(method: Method, settings: Training, figures: Figures, tolerance: float) -> None:
    """Policy = reference before the first step: all log-ratios are 0, whatever the loss makes of them. Raises BadInput."""
    if method.reference(settings) == START and figures["largest_log_ratio"] > tolerance:
        raise BadInput(
            f"Before the first step the start model and its own reference differ by {figures['largest_log_ratio']:.2g} nats "
            "per token where they must agree, so this base model computes something else in training than in evaluation. "
            "Choose another base model."
        )


def _chosen(n_groups: int, settings: Training) -> Iterator[list[int]]:
    """Places of the groups of each step, epoch after epoch without end; the order follows from the seed."""
    draw = random.Random(settings.seed)  # noqa: S311 -- an order that can be had again, not a secret
    places = list(range(n_groups))
    while True:
        draw.shuffle(places)
        for first in range(0, n_groups, settings.groups_per_step):
            yield places[first : first + settings.groups_per_step]
