"""A row of a dataset: one judged group."""

from typing import TypedDict


class Row(TypedDict):
    """`tiers`, `scores` and `models` are aligned with `responses`; tier 1 is best, None was not judged. `group` is the item.

    `margin` is what the strength of the choice means, where it was asked for. `scores` are those that the responses were
    imported with. `weight` is what the row counts in training. `judgments` says how many judgments it stands for, the
    first of which is `judgment`; `agreement` is the share of the item's judgments that gave its most frequent answer;
    `annotator` is a pseudonym, None where the row stands for several people.
    """

    group: int
    judgment: int
    prompt: list[dict[str, str]]
    responses: list[str]
    tiers: list[int | None]
    outcome: str
    margin: float | None
    weight: float
    judge_kind: str
    scores: list[float | None]
    models: list[str | None]
    metadata: str
    prompt_hash: str
    judgments: int
    agreement: float
    annotator: str | None


def judged(row: Row) -> dict[int, int]:
    """The tier of each response that has one, by its place."""
    return {place: tier for place, tier in enumerate(row["tiers"]) if tier is not None}
