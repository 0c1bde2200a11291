"""What a dataset looks like: counted while its rows are written, in memory that does not grow with them.

Lengths are in characters and are put into buckets that double. A histogram is {bucket: rows}, drawn by the dataset's page
and told by its card.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from app.datasets.row import Row, judged
from app.preference import tuples

MOST_ANNOTATORS = 50
TENTHS = 10


@dataclass
class Summary:
    """`longer` counts tuples in which the better response is the longer one: a model can learn that instead of quality."""

    prompt_length: Counter[int] = field(default_factory=Counter)
    response_length: Counter[int] = field(default_factory=Counter)
    responses: Counter[int] = field(default_factory=Counter)
    judgments: Counter[int] = field(default_factory=Counter)
    agreement: Counter[int] = field(default_factory=Counter)
    annotators: Counter[str] = field(default_factory=Counter)
    longer: int = 0
    shorter: int = 0
    _item: tuple[int, int, float] | None = None

    def add(self, row: Row) -> None:
        lengths = [len(text) for text in row["responses"]]
        self.prompt_length[doubling(sum(len(message["content"]) for message in row["prompt"]))] += 1
        self.response_length.update(map(doubling, lengths))
        self.responses[len(lengths)] += 1
        if row["annotator"] is not None:
            self.annotators[row["annotator"]] += 1
        for better, worse in tuples(judged(row)):
            self.longer += lengths[better] > lengths[worse]
            self.shorter += lengths[better] < lengths[worse]
        self._add_item(row)

    def _add_item(self, row: Row) -> None:
        """Rows of one item come one after the other; how many judgments it has is known when the next one begins."""
        item, judgments, agreement = self._item or (row["group"], 0, 1.0)
        if item != row["group"]:
            self._count(judgments, agreement)
            judgments = 0
        self._item = row["group"], judgments + row["judgments"], row["agreement"]

    def _count(self, judgments: int, agreement: float) -> None:
        self.judgments[judgments] += 1
        if judgments > 1:
            self.agreement[int(agreement * TENTHS)] += 1

    def as_json(self) -> dict[str, Any]:
        """`agreement` is in tenths, of items that several people judged; annotators are the busiest ones, and how many there are."""
        if self._item is not None:
            self._count(*self._item[1:])
            self._item = None
        names = ("prompt_length", "response_length", "responses", "judgments", "agreement")
        told = {name: {str(key): count for key, count in sorted(getattr(self, name).items())} for name in names}
        busiest = sorted(self.annotators.items(), key=lambda one: (-one[1], one[0]))[:MOST_ANNOTATORS]
        return told | {
            "annotators": dict(busiest),
            "n_annotators": len(self.annotators),
            "longer": self.longer,
            "shorter": self.shorter,
        }


def doubling(length: int) -> int:
    """The least power of two that is not below `length`: 0, 1, 2, 4, 8 …"""
    return 1 << (length - 1).bit_length() if length > 0 else 0
