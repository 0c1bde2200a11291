"""Settings of a method: typed fields that a launch form can be drawn from, and the strict reading of what it sends.

A trainer announces ``describe(method)`` in its row; the web application draws the form from that and knows nothing else
about a method. Whoever orders a run sends a JSON object, which ``read_settings`` checks again here.
"""

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from app.errors import BadInput
from worker.four_bit import BASE_WEIGHTS, FULL
from worker.launch import MOST_PROCESSES

LONGEST_TEXT = 200
START = "start"
NO_REFERENCE = "none"
IMPORTED = "imported"
"""What ``reference`` (the first two) and ``scores`` (the third) say when they name no checkpoint."""
LAST = "last"
SMALLER = "smaller"
"""What ``best_by`` and ``out_of_memory`` say unless told otherwise."""

Choices = tuple[dict[str, str], ...]
"""Of each of these, settings that go together, one is enough."""


def setting(
    default: float | str,
    *,
    low: float | None = None,
    high: float | None = None,
    help: str,  # noqa: A002 -- the word the form uses
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a ``Settings`` dataclass with what a form needs to know. ``low`` and ``high`` are allowed values.

    Text without ``choices`` may be any, such as the name of a checkpoint. What matters for one choice only says so in ``help``.
    """
    facts = {"low": low, "high": high, "choices": choices, "help": help}
    return field(default=default, metadata=MappingProxyType(facts))


@dataclass(frozen=True, kw_only=True)
class Training:
    """The settings that every method shares."""

    max_steps: int = setting(0, low=0, high=1_000_000, help="Stop after this many steps; 0 lets the epochs decide.")
    epochs: int = setting(1, low=1, high=1000, help="How often the training split is gone through.")
    learning_rate: float = setting(
        0.0, low=0.0, high=1.0, help="Peak step size after warm-up; 0 picks one for the method and the model's size."
    )
    groups_per_step: int = setting(32, low=1, high=4096, help="Judged groups that one step of the optimizer looks at.")
    max_length: int = setting(
        512, low=16, high=131_072, help="Longest prompt with response, in tokens; what is cut is counted."
    )
    too_long: str = setting(
        "trim",
        choices=("trim", "drop", "prompt", "response"),
        help="What to do beyond max_length: trim the prompt's left, then the responses; drop the group; cut the prompt "
        "alone or the responses alone.",
    )
    seed: int = setting(0, low=0, high=2**31 - 1, help="Order of the groups and new weights follow from it.")
    lora_rank: int = setting(
        0, low=0, high=512, help="Train low-rank adapters of this rank and merge them at the end; 0 trains all weights."
    )
    adapter: str = setting(
        "merged",
        choices=("merged", "merged and apart"),
        help="With lora_rank: whether the checkpoint also holds the adapter alone, as a PEFT folder named adapter.",
    )
    precision: str = setting(
        "auto",
        choices=("auto", "float32", "bfloat16"),
        help="What layers compute in; auto is bfloat16 on a GPU that has it, else float32. Weights and sums stay float32.",
    )
    activation_checkpointing: str = setting(
        "off",
        choices=("off", "on"),
        help="Compute each layer again for its gradient: a third more time, far less memory.",
    )
    base_weights: str = setting(
        FULL,
        choices=BASE_WEIGHTS,
        help="With lora_rank on a GPU with bitsandbytes: 4-bit holds the base model in an eighth of the memory, a little rounded; "
        "what is published is in full again.",
    )
    save_steps: int = setting(
        0,
        low=0,
        high=1_000_000,
        help="Keep the state every so many steps, to go on from after a crash or a cancellation; 0 keeps one every few minutes.",
    )
    evaluate_every: int = setting(
        50,
        low=0,
        high=1_000_000,
        help="Measure loss, accuracy and margin on up to 64 held-out groups every so many steps, as the test curve; 0 measures "
        "before and after alone, as does a run with no more steps than that.",
    )
    sample_every: int = setting(
        100,
        low=0,
        high=1_000_000,
        help="Ask the model the same four held-out prompts every so many steps, to see how its responses, or a reward model's scores, "
        "change; 0 asks before and after alone, as does a run with no more steps than that.",
    )
    best_by: str = setting(
        LAST,
        choices=(LAST, "accuracy", "margin", "best_logp"),
        help="What is published: the last step, or the state that measured best on the test split, of all that save_steps keeps; "
        "without save_steps, of one every evaluate_every steps.",
    )
    out_of_memory: str = setting(
        SMALLER,
        choices=(SMALLER, "fail"),
        help="When memory runs out in a step: cut it into micro-batches half as large and do it again, which gives the same gradient; "
        "or fail.",
    )
    processes: int = setting(
        1,
        low=1,
        high=MOST_PROCESSES,
        help="Share each step among this many processes, and the weights with it: one for each GPU of the trainer, for a model "
        "or a speed that one GPU does not give. 1 gives the same numbers again each time.",
    )

    def scorer(self) -> str:
        """The reward checkpoint that scores the responses before the first step, or IMPORTED."""
        return IMPORTED


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings that go together, for whoever does not want to choose each of them; the others stay at their defaults."""

    name: str
    help: str
    settings: dict[str, Any]


PRESETS = (
    Preset(
        name="quick look",
        help="Thirty steps at most and short texts: whether it works at all, not how good it gets.",
        settings={"max_steps": 30, "max_length": 256, "evaluate_every": 10, "sample_every": 10},
    ),
    Preset(
        name="careful",
        help="Twice through the data in steps twice as large, so with less noise, and no text is cut: what is too long is left out.",
        settings={"epochs": 2, "groups_per_step": 64, "max_length": 2048, "too_long": "drop"},
    ),
)
"""The same for every method, since they are about settings that all share. Tried with every method by the contract test."""


def read_settings(kind: type[Training], given: Mapping[str, Any]) -> Training:
    """The settings that a JSON object asks for, defaults filled in. Raises BadInput that names the field."""
    known = {item.name: item for item in fields(kind)}
    for name in given:
        if name not in known:
            raise BadInput(f"There is no setting {name!r}. Known settings: {', '.join(known)}.", field=name)
    return kind(**{name: _read(known[name], value) for name, value in given.items()})


def _read(item: Field[Any], value: Any) -> Any:
    """One value in its field's type and range. A bool is no number, and no number is not a number."""
    if item.type is str:
        return _read_text(item, value)
    number = value if type(value) is int or (item.type is float and type(value) is float) else None
    if number is None:
        wanted = "a whole number" if item.type is int else "a number"
        raise BadInput(f"{item.name} must be {wanted}, not {value!r}.", field=item.name)
    low, high = item.metadata["low"], item.metadata["high"]
    if not math.isfinite(number) or not low <= number <= high:
        raise BadInput(f"{item.name} must lie between {low} and {high}, not {number}.", field=item.name)
    return float(number) if item.type is float else number


def _read_text(item: Field[Any], value: Any) -> str:
    choices = item.metadata["choices"]
    if choices and value not in choices:
        raise BadInput(f"{item.name} must be one of {', '.join(choices)}.", field=item.name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST_TEXT:
        raise BadInput(
            f"{item.name} must be text of 1 to {LONGEST_TEXT} characters, not {value!r:.40}.", field=item.name
        )
    return value.strip()


def describe_settings(kind: type[Training]) -> list[dict[str, Any]]:
    """What a launch form needs to know of each field, in display order, ready for JSON."""
    return [
        {
            "name": item.name,
            "type": item.type.__name__ if isinstance(item.type, type) else item.type,
            "default": item.default,
            "low": item.metadata["low"],
            "high": item.metadata["high"],
            "choices": list(item.metadata["choices"]),
            "help": item.metadata["help"],
        }
        for item in fields(kind)
    ]
