"""What is asked for when a dataset is frozen: a name, which judgments, what becomes of them, and how to split them."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import BadInput
from app.language import gettext as _

Outcome = Literal["ranked", "tie", "all_bad"]
JudgeKind = Literal["human", "imported", "rule", "model"]
OUTCOMES: tuple[Outcome, ...] = ("ranked", "tie", "all_bad")
JUDGE_KINDS: tuple[JudgeKind, ...] = ("human", "imported", "rule", "model")
# What becomes of several judgments of one item, and what counts as one: `combine.py` has both in full.
Combine = Literal["each", "majority", "weights"]
Balance = Literal["item", "prompt"]
Shape = Literal["preference", "preference_text", "unpaired", "prompts", "sft", "log"]
SHAPES: tuple[Shape, ...] = ("preference", "preference_text", "unpaired", "prompts", "sft", "log")
MOST_NAMES = 1000
MARGINS = (1.0, 2.0, 3.0)
Names = Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=MOST_NAMES)]
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
_METADATA = re.compile(r"metadata(\.[\w-]+)+")


class Filters(BaseModel):
    """Which judgments go in; those skipped, withdrawn or beyond the number wanted never do.

    Days are UTC, the last one included. `annotators` are numbers of people. `models` wrote one of the responses, `sources`
    and `tags` are what the record's metadata say in “source” and among “tags”; of several names one is enough. The least
    number of judgments and the least agreement are about an item, and count the judgments that pass all other filters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcomes: tuple[Outcome, ...] = OUTCOMES
    judge_kinds: tuple[JudgeKind, ...] = JUDGE_KINDS
    first_day: date | None = None
    last_day: date | None = None
    annotators: Annotated[tuple[Annotated[int, Field(ge=1, lt=2**63)], ...], Field(max_length=MOST_NAMES)] = ()
    models: Names = ()
    sources: Names = ()
    tags: Names = ()
    min_strength: Annotated[int, Field(ge=1, le=3)] | None = None
    min_judgments: Annotated[int, Field(ge=1, le=1000)] = 1
    min_agreement: Annotated[float, Field(ge=0, le=1)] = 0.0

    def as_json(self) -> dict[str, Any]:
        """The same filters are the same JSON, in whatever order they were named; those that let all through are left out."""
        told = self.model_dump(mode="json", exclude_defaults=True) | {
            "outcomes": [outcome for outcome in OUTCOMES if outcome in self.outcomes],
            "judge_kinds": [kind for kind in JUDGE_KINDS if kind in self.judge_kinds],
        }
        return told | {name: sorted(set(told[name])) for name in _SETS & told.keys()}


_SETS = {"annotators", "models", "sources", "tags"}


class SplitRule(BaseModel):
    """By prompt, with the share of test prompts and a seed; or by what the records say, as in `metadata.split`.

    `near_duplicates` keeps prompts that are nearly the same on one side (`near.py`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = "prompt"
    test: float = 0.1
    seed: int = 0
    near_duplicates: bool = False

    @property
    def metadata_path(self) -> list[str] | None:
        return self.by.split(".")[1:] if self.by != "prompt" else None

    def as_json(self) -> dict[str, Any]:
        if self.metadata_path:
            return {"by": self.by}
        told: dict[str, Any] = {"by": self.by, "test": self.test, "seed": self.seed}
        return told | ({"near_duplicates": True} if self.near_duplicates else {})


class Order(BaseModel):
    """`margins` are what “slightly”, “clearly” and “much” better mean to a loss that knows margins; null leaves them out.

    `shapes` are written beside the groups, for programs that read another shape (`shapes.py`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    filters: Filters = Filters()
    split: SplitRule = SplitRule()
    combine: Combine = "each"
    balance: Balance = "item"
    margins: tuple[float, float, float] | None = MARGINS
    shapes: tuple[Shape, ...] = ("preference",)

    def settings(self) -> dict[str, Any]:
        """What the row keeps besides filters and split."""
        return {
            "combine": self.combine,
            "balance": self.balance,
            "margins": list(self.margins) if self.margins else None,
            "shapes": [shape for shape in SHAPES if shape in self.shapes],
        }


def check_name(name: str) -> None:
    """The rule for all names that programs ask for: datasets and checkpoints. Raises BadInput."""
    if not NAME.fullmatch(name):
        raise BadInput(
            _(
                "A name has up to 96 small letters, digits, dots, hyphens and underscores, and begins with a letter or digit."
            ),
            field="name",
        )


def check(order: Order) -> None:
    """Raises BadInput that names the field."""
    check_name(order.name)
    split = order.split
    if split.by != "prompt" and not _METADATA.fullmatch(split.by):
        raise BadInput(_("Split by “prompt”, or by a field of the records such as “metadata.split”."), field="split.by")
    if split.metadata_path and split.model_fields_set & {"test", "seed", "near_duplicates"}:
        raise BadInput(
            _("Split either by “test” and “seed”, or by a field of the records, not by both."), field="split"
        )
    if not 0 <= split.test < 1:
        raise BadInput(_("The test share is a number from 0 up to, but not including, 1."), field="split.test")
    if not -(2**63) <= split.seed < 2**63:
        raise BadInput(_("The seed is a whole number of at most 64 bits."), field="split.seed")
    if order.margins is not None and not all(-1000 <= margin <= 1000 for margin in order.margins):
        raise BadInput(_("A margin is a number from −1,000 to 1,000."), field="margins")
    _check_filters(order.filters)


def _check_filters(filters: Filters) -> None:
    if not filters.outcomes or not filters.judge_kinds:
        raise BadInput(
            _("A filter that lets nothing through makes no dataset; leave it out to take all."), field="filters"
        )
    if filters.first_day and filters.last_day and filters.first_day > filters.last_day:
        raise BadInput(_("The first day comes after the last one."), field="filters.first_day")
