"""How a model did on each held-out prompt: kept so that two runs can be compared on the same ones (`app/runs/difference.py`)."""

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class ByPrompt:
    """``sums`` is {measure: {prompt: [sum, count]}}; a prompt is named by the beginning of a hash of its messages."""

    sums: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def note(self, measure: str, values: Sequence[float], prompts: Sequence[Hashable]) -> None:
        """One value for each pair or question, with the prompt that it belongs to."""
        found = self.sums.setdefault(measure, {})
        for value, prompt in zip(values, prompts, strict=True):
            both = found.setdefault(name_of(prompt), [0.0, 0])
            both[0] += value
            both[1] += 1


def name_of(prompt: Hashable) -> str:
    return hashlib.sha256(str(prompt).encode()).hexdigest()[:16]
