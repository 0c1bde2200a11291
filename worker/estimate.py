"""What a run will take, in seconds and bytes: a few of its own steps, timed, and the rest by their number of tokens.

Nothing is looked up in a table of models and machines. The very functions that a run calls are called here on real batches
of it, with a learning rate of 0, so that the weights stay: forward passes, gradients, AdamW, greedy answers. Time
goes with the tokens that go through the model, padding included, and the update of the weights with the steps. Memory is the
peak of this process, which loads what a run loads, after the heaviest micro-batch among many steps drawn as a run draws
them; where that one would take too long, a part of it, and its activations by its tokens.

So it holds for the machine as it is now: a training beside it takes its share of both. Left out: what a run waits in the
queue, and what its answers will be once it has learnt to end them sooner or later than it does now.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from app.settings import get_settings
from worker import midway
from worker.answers import ANSWERS_AT_ONCE, MOST_TOKENS, greedy, prompts_of
from worker.batches import EncodedGroup
from worker.evaluate import measure, with_reference
from worker.groups import Group
from worker.keep import states_every
from worker.memory import ADAMW_NUMBERS, NUMBER_BYTES, available_bytes, held_bytes, learning_numbers, peak_bytes
from worker.memory import weights_bytes as bytes_of_weights
from worker.methods import NO_REFERENCE, Method
from worker.methods.settings import IMPORTED, LAST, Training
from worker.policy import Model, logp, rewards
from worker.processes import plain
from worker.steps import CLIP_NORM, accumulate, count_steps

DRAWN_STEPS = 400
"""Steps that are drawn to find the heaviest micro-batch and the mean number of tokens."""
BATCH_S, STEPS_S, MOST_STEPS = 5.0, 5.0, 200
"""How long one micro-batch, and all steps that are tried, may take at most; nobody waits for more. Less than seconds would
say too little: on a machine that is shared a short burst runs several times as fast as what goes on.
"""
FEW_TOKENS = 4
TOKEN_BYTES = 36
"""A token id of a text that was not looked at: a number of Python and its place in a tuple."""
PUBLISHED_PER_S = 150e6
PUBLISHING_S = 1.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """A run as far as it is known. ``groups`` and ``held_out`` may be draws from so many; ``start_s`` are the seconds
    until its groups are tokens and its model is ready, ``bytes_before`` what the process held without a model.
    """

    model: Model
    method: Method
    settings: Training
    groups: Sequence[EncodedGroup]
    n_groups: int
    held_out: Sequence[EncodedGroup]
    n_held_out: int
    questions: Sequence[Group]
    start_s: float
    is_reference_kept: bool
    bytes_before: int


def estimate(run: Planned) -> tuple[Json, Json]:
    """Time and memory. Without enough memory for the weights and what they learn with, no time is known."""
    model = run.model
    heaviest, tokens_per_step = drawn_steps(run)
    holds = {
        "weights": bytes_of_weights(model),
        "gradients": NUMBER_BYTES * learning_numbers(model),
        "optimizer": NUMBER_BYTES * ADAMW_NUMBERS * learning_numbers(model),
    }
    available = available_bytes(model.device)
    alone = sum(holds.values()) + run.bytes_before
    least = of_all_processes(run, alone, alone)
    memory: Json = {"available": available, **holds, "programs": max(0, least - sum(holds.values()))}
    too_much: tuple[Json, Json] = (
        {"seconds": None, "parts": {}},
        memory | {"bytes": least, "activations": None, "fits": False},
    )
    if least > available:
        return too_much
    try:
        passed_s = forward_s(model, run.groups)
        answering = answers_s(run, passed_s, run.questions)
        n_asked = midway.looks(run.settings.sample_every, count_steps(run.n_groups, run.settings))
        sampling = n_asked and n_asked * answers_s(run, passed_s, run.questions[: midway.PROMPTS], midway.MOST_TOKENS)
        tried = Tried(run, heaviest)
    except (torch.OutOfMemoryError, MemoryError):
        return too_much
    unseen = (run.n_groups - len(run.groups)) / len(run.groups) * sum(group.tokens() for group in run.groups)
    peak = of_all_processes(run, int(tried.peak_bytes + unseen * TOKEN_BYTES), alone)
    memory |= {"bytes": peak, "activations": max(0, peak - least)}
    memory["fits"] = peak <= available
    return seconds(run, tried, tokens_per_step, passed_s, answering, sampling), memory


def of_all_processes(run: Planned, peak: int, alone: int) -> int:
    """What the processes of a run hold of the memory that is there for it, from the ``peak`` of one that trains it alone and what of that is no activation.

    They share the weights and what these learn with. On CPUs all of them have one memory, and each has its programs; a GPU has a process for itself.
    """
    n, shared = run.settings.processes, alone - run.bytes_before
    if run.model.device.type == "cuda":
        return peak - shared + shared // n
    return n * (peak - shared) + shared


def seconds(
    run: Planned, tried: "Tried", tokens_per_step: float, passed_s: float, answering: float, sampling: float
) -> Json:
    """The parts of a run, and their sum. ``answering`` is once, ``sampling`` all that is asked midway."""
    model = run.model
    steps = count_steps(run.n_groups, run.settings)
    step_s = tried.gradient_s * tokens_per_step + tried.update_s
    train = tokens_in(model, run.groups) * run.n_groups / len(run.groups)
    held = tokens_in(model, run.held_out) * run.n_held_out / max(1, len(run.held_out))
    asked = 0.0 if run.is_reference_kept else held * (model.kind == "policy")
    if run.method.reference(run.settings) != NO_REFERENCE and not run.is_reference_kept:
        asked += train
    if run.settings.scorer() != IMPORTED:
        asked += train
    looks = midway.looks(run.settings.evaluate_every, steps)
    seen = looks * held * min(1.0, midway.GROUPS / max(1, run.n_held_out))
    kept = kept_states(run.settings, steps, steps * step_s)
    state_s = NUMBER_BYTES * (1 + ADAMW_NUMBERS) * learning_numbers(model) / PUBLISHED_PER_S
    worth_s = held * passed_s if run.settings.best_by != LAST else 0.0
    parts = {
        "start": run.start_s,
        "reference": asked * passed_s,
        "training": steps * step_s,
        "keeping": kept * (state_s + worth_s),
        "midway": seen * passed_s + sampling,
        "measuring": 2 * (held * passed_s + answering),
        "publishing": PUBLISHING_S + NUMBER_BYTES * model.n_parameters / PUBLISHED_PER_S,
    }
    told = {"steps": steps, "tokens_per_step": tokens_per_step, "seconds_per_step": step_s}
    return told | {"seconds": sum(parts.values()), "parts": parts}


def kept_states(settings: Training, steps: int, training_s: float) -> int:
    """How many states a run keeps on its way: so many steps apart, or so many seconds, and one after the last step."""
    if every := states_every(settings):
        return math.ceil(steps / every)
    return int(training_s / get_settings().resume_every_s) + 1


def size(model: Model, groups: Sequence[EncodedGroup]) -> int:
    """Tokens of one batch of these groups as the model's body sees them."""
    if model.shares_prompts:
        return sum(group.tokens() for group in groups)
    return sum(len(group.responses) for group in groups) * max(group.longest() for group in groups)


def tokens_in(model: Model, groups: Sequence[EncodedGroup]) -> int:
    """The same of as many batches as these groups make."""
    return sum(size(model, [groups[place] for place in places]) for places in model.batches(groups))


def drawn_steps(run: Planned) -> tuple[list[EncodedGroup], float]:
    """The heaviest micro-batch of many steps, and the mean number of tokens of a step."""
    draw = random.Random(run.settings.seed)  # noqa: S311 -- a draw that can be had again, not a secret
    heaviest: list[EncodedGroup] = []
    most = total = 0
    n_steps = max(1, min(DRAWN_STEPS, count_steps(run.n_groups, run.settings)))
    for _ in range(n_steps):
        step = draw.sample(run.groups, min(run.settings.groups_per_step, len(run.groups)))
        for places in run.model.batches(step):
            batch = [step[place] for place in places]
            total += (tokens := size(run.model, batch))
            if tokens > most:
                most, heaviest = tokens, batch
    return heaviest, total / n_steps


def timed(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds; a GPU is waited for."""
    began = time.monotonic()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return max(time.monotonic() - began, 1e-6)


def affordable(model: Model, groups: Sequence[EncodedGroup], token_s: float) -> list[EncodedGroup]:
    """As many of these groups, and one at least, as take no more than `BATCH_S`."""
    taken = [groups[0]]
    for group in groups[1:]:
        if size(model, [*taken, group]) * token_s > BATCH_S:
            break
        taken.append(group)
    return taken


def forward_s(model: Model, groups: Sequence[EncodedGroup]) -> float:
    """Seconds for each token of a forward pass without gradients, over the batch of the longest groups and an ordinary one.

    They are tried whole where that is quick enough, since a run's evaluations are such batches, and may hold more than its steps.
    """
    what = logp if model.kind == "policy" else rewards
    batches = model.batches(groups)
    first = [groups[batches[0][0]]]
    timed(model.device, lambda: measure(model, first, what))
    token_s = timed(model.device, lambda: measure(model, first, what)) / size(model, first)
    spent = tokens = 0.0
    for places in (batches[len(batches) // 2], batches[-1]):
        whole = [groups[place] for place in reversed(places)]
        some: list[EncodedGroup] = []
        while len(more := affordable(model, whole, token_s)) > len(some):  # a token of many costs less than one of few
            some = more
            took = timed(model.device, lambda some=some: measure(model, some, what))  # type: ignore[misc]  # mypy knows no defaults of a lambda
            token_s = took / size(model, some)
        spent, tokens = spent + took, tokens + size(model, some)
    return spent / tokens


def answers_s(run: Planned, passed_s: float, questions: Sequence[Group], most: int = MOST_TOKENS) -> float:
    """Seconds to answer these held-out prompts once, in ``most`` tokens each."""
    if run.model.kind != "policy" or not questions:
        return 0.0
    prompts, room = prompts_of(run.model, questions, run.settings.max_length)
    room = min(room, most)
    longest = sorted(prompts, key=len)[-ANSWERS_AT_ONCE:]
    n = max(1, min(len(longest), int(BATCH_S / passed_s / len(longest[-1]))))
    some = longest[-n:]

    def answered(tokens: int) -> float:
        return timed(run.model.device, lambda: greedy(run.model, some, max_new_tokens=tokens))

    few = min(FEW_TOKENS, room)
    once = answered(few)
    if once * room / few <= BATCH_S:
        once = answered(room)
    else:
        once *= room / few
    return once * math.ceil(len(prompts) / ANSWERS_AT_ONCE) * len(longest) / n


class Tried:
    """A few steps of the run: seconds of a token's gradient and of an update, and the peak of memory in bytes."""

    def __init__(self, run: Planned, heaviest: Sequence[EncodedGroup]) -> None:
        self.run, self.model = run, run.model
        self.weights = run.model.trainable()
        self.optimizer = torch.optim.AdamW(self.weights, lr=0.0, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        one = [min(heaviest, key=lambda group: group.tokens())]
        for _ in range(2):  # the first makes the optimizer's state, and whatever else is made once
            token_s = self.step(one)[0] / size(self.model, one)
        holding = held_bytes(self.model.device)
        some = affordable(self.model, heaviest, token_s)
        gradient_s, tokens = self.step(some)[0], size(self.model, some)
        activations = max(0, peak_bytes(self.model.device) - holding) * (size(self.model, heaviest) / tokens - 1)
        self.peak_bytes = peak_bytes(self.model.device) + activations
        self._time(gradient_s / tokens)

    def _time(self, token_s: float) -> None:
        draw = random.Random(self.run.settings.seed + 1)  # noqa: S311 -- as above
        spent = tokens = updates = 0.0
        n = 0
        while n < MOST_STEPS and (n == 0 or spent + updates + (spent + updates) / n < STEPS_S):
            step = draw.sample(self.run.groups, min(self.run.settings.groups_per_step, len(self.run.groups)))
            some = affordable(self.model, step, token_s)
            gradient_s, update_s = self.step(some)
            spent, updates, n = spent + gradient_s, updates + update_s, n + 1
            tokens += tokens_in(self.model, some)
        self.gradient_s, self.update_s = spent / tokens, updates / n

    def step(self, groups: Sequence[EncodedGroup]) -> tuple[float, float]:
        """Seconds of the gradient and of the update."""
        known = self._as_known(groups)
        method, settings = self.run.method, self.run.settings
        gradient_s = timed(self.model.device, lambda: accumulate(self.model, method, settings, known))
        return gradient_s, timed(self.model.device, self._update)

    def _update(self) -> None:
        float(plain(torch.nn.utils.clip_grad_norm_(self.weights, CLIP_NORM)))
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _as_known(self, groups: Sequence[EncodedGroup]) -> list[EncodedGroup]:
        """With a reference and scores where the method asks for them: any numbers will do, as long as they are numbers."""
        known = list(groups)
        if self.run.method.reference(self.run.settings) != NO_REFERENCE:
            known = with_reference(self.model, known)
        if self.run.settings.scorer() != IMPORTED:
            known = [replace(group, scores=tuple(range(len(group.responses)))) for group in known]
        return known
