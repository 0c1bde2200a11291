"""What the reports train with: the worker's own loop on groups at hand, and a small language model from nothing to start with."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from app.intervals import Interval, mean_interval, share_interval
from worker import policy, starter
from worker.agreement import Scored
from worker.evaluate import measure, with_reference
from worker.groups import Group
from worker.methods import START, find_method, read_settings
from worker.policy import Kind, Model
from worker.sharing import with_shared_prompts
from worker.steps import train_steps
from worker.tokens import encode

BLANK_RATE = 1.5e-3
"""Peak rate of `sft` on new weights, as the starter's order has it."""
UNKNOWN: Interval = (math.nan, math.nan)


def blank(groups: Sequence[Group], seed: int, vocabulary: int = starter.VOCABULARY) -> Model:
    """The starter's network with new weights, and a tokenizer learnt from these groups."""
    policy.seed_everything(seed)
    network, tokenizer = starter.blank(groups, vocabulary)
    return policy.prepare("policy", network, tokenizer, lora_rank=0, device=policy.pick_device())


def saved(model: Model, folder: Path) -> Path:
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


def loaded(kind: Kind, folder: Path, seed: int = 0) -> Model:
    policy.seed_everything(seed)
    return policy.load(kind, folder, lora_rank=0, device=policy.pick_device())


def trained(model: Model, method_name: str, groups: Sequence[Group], **given: Any) -> Model:
    """The model after a run of that method, as the worker does it. Raises BadInput as a run would."""
    method = find_method(method_name)
    settings = read_settings(method, given)
    examples, cut = encode(method.examples(groups, settings), model.tokenizer, settings.max_length, settings.too_long)
    model, _ = with_shared_prompts(model, examples)
    if method.reference(settings) == START:
        examples = with_reference(model, examples)
    print(f"{method_name} {given}: {len(examples)} groups, cut: {cut.as_facts()}", flush=True)
    for step in train_steps(model, method, settings, examples):
        if step.number % 50 == 0 or step.number + 1 == step.total:
            figures = {name: round(value, 4) for name, value in step.figures.items() if name in {"loss", "accuracy"}}
            print(f"  step {step.number + 1} of {step.total}: {figures}", flush=True)
    return model


def scored_by(scores: Sequence[tuple[float, ...]], groups: Sequence[Group]) -> list[Scored]:
    """Judged groups with a score for each of their responses, as agreement is counted on them."""
    return [
        Scored(repr(group.prompt), values, tuple(tier or 0 for tier in group.tiers), source=group.source)
        for values, group in zip(scores, groups, strict=True)
    ]


def reward_scores(judge: Model, groups: Sequence[Group], max_length: int) -> list[Scored]:
    """The groups as a reward model scores them; what is too long is trimmed, nothing left out."""
    examples, _ = encode(groups, judge.tokenizer, max_length)
    judge, _ = with_shared_prompts(judge, examples)
    return scored_by(measure(judge, examples, policy.rewards), groups)


def as_share(values: Sequence[float], prompts: Sequence[str]) -> str:
    """The mean of values between 0 and 1 with its 95 % interval, for a table."""
    return _in_words(values, share_interval(values, prompts) or UNKNOWN, "")


def as_gain(values: Sequence[float], prompts: Sequence[str]) -> tuple[str, Interval]:
    """The mean of differences with its 95 % interval, for a table, and the interval."""
    interval = mean_interval(values, prompts) or UNKNOWN
    return _in_words(values, interval, "+"), interval


def _in_words(values: Sequence[float], interval: Interval, sign: str) -> str:
    low, high = interval
    return f"{math.fsum(values) / len(values):{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def one_thread() -> None:
    """Reports take one core, so that their figures do not depend on how many there are."""
    torch.set_num_threads(1)
    torch.sparse.check_sparse_tensor_invariants.disable()  # what torch does anyway, and warns of unless it is said
