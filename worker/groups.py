"""One row of a dataset file: a prompt, its responses and the order that people gave them. Standard library only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """A judged group. ``tiers`` are aligned with ``responses``: 1 is best, equal tiers tie, None was not judged.

    ``scores`` are those the responses were imported with, aligned as well, None where there was none. ``strength`` is how
    clear the choice was to whoever made it (1 to 3), 0 if nobody was asked. ``weight`` is what the judgment counts. ``models``
    wrote the responses, aligned as well; ``source`` is where the record says it is from, None if it does not.
    """

    prompt: tuple[Mapping[str, str], ...]
    responses: tuple[str, ...]
    tiers: tuple[int | None, ...]
    outcome: str = "ranked"
    weight: float = 1.0
    answer: str | None = None
    scores: tuple[float | None, ...] = ()
    strength: float = 0.0
    models: tuple[str | None, ...] = ()
    source: str | None = None

    def judged(self) -> bool:
        """Whether any response has a tier; those of a group said to be all bad may have none."""
        return any(tier is not None for tier in self.tiers)

    def best(self) -> tuple[str, ...]:
        """The responses in the best tier; none when all were said to be bad."""
        judged = [tier for tier in self.tiers if tier is not None]
        if self.outcome == "all_bad" or not judged:
            return ()
        return tuple(text for text, tier in zip(self.responses, self.tiers, strict=True) if tier == min(judged))


def read_groups(path: Path) -> list[Group]:
    """All rows of a dataset's JSONL file, in the order of the file."""
    with path.open(encoding="utf-8") as lines:
        return [_group(json.loads(line)) for line in lines if line.strip()]


def _group(row: Mapping[str, Any]) -> Group:
    facts = _facts(row.get("metadata"))
    return Group(
        prompt=tuple(row["prompt"]),
        responses=tuple(row["responses"]),
        tiers=tuple(row["tiers"]),
        outcome=row["outcome"],
        weight=float(row.get("weight", 1.0)),
        answer=_answer(facts),
        scores=tuple(None if score is None else float(score) for score in row.get("scores") or ()),
        strength=float(row.get("margin") or 0.0),
        models=tuple(row.get("models") or ()),
        source=str(facts["source"]) if isinstance(facts.get("source"), str | int) else None,
    )


def _facts(metadata: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What the record said of itself, as text or as an object; nothing where it is neither."""
    facts = json.loads(metadata) if isinstance(metadata, str) and metadata else metadata
    return facts if isinstance(facts, Mapping) else {}


def _answer(facts: Mapping[str, Any]) -> str | None:
    """The one right answer, for tasks that code can check: metadata {"rule": "exact", "answer": …}."""
    answer = facts.get("answer") if facts.get("rule") == "exact" else None
    return str(answer) if answer is not None else None
