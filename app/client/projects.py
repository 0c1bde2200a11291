"""Projects: what is judged, how, and how far that has come."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`open` items wait for judgments: of those `wanted`, `counted` are there. `tuples` are what all judgments make."""

    items: int
    open: int
    wanted: int
    counted: int
    judgments: int
    tuples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`kind` is pair or ranking; `outcomes` are those that a judge may choose from."""

    id: int
    slug: str
    name: str
    kind: str
    guidelines: str
    judgments_per_item: int
    outcomes: tuple[str, ...]
    dimensions: tuple[str, ...]
    created_at: datetime
    counts: Counts
