"""What somebody asks for who freezes a dataset: a name, which judgments, and how to split them."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.errors import BadInput
from app.language import gettext as _

Outcome = Literal["ranked", "tie", "all_bad"]
JudgeKind = Literal["human", "imported", "rule", "model"]
OUTCOMES: tuple[Outcome, ...] = ("ranked", "tie", "all_bad")
JUDGE_KINDS: tuple[JudgeKind, ...] = ("human", "imported", "rule", "model")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
_METADATA = re.compile(r"metadata(\.[\w-]+)+")


class Filters(BaseModel):
    """Which judgments go in; those skipped, withdrawn or beyond the number wanted never do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcomes: tuple[Outcome, ...] = OUTCOMES
    judge_kinds: tuple[JudgeKind, ...] = JUDGE_KINDS

    def as_json(self) -> dict[str, Any]:
        """The same filters are the same JSON, in whatever order they were named."""
        return {
            "outcomes": [outcome for outcome in OUTCOMES if outcome in self.outcomes],
            "judge_kinds": [kind for kind in JUDGE_KINDS if kind in self.judge_kinds],
        }


class SplitRule(BaseModel):
    """By prompt, with the share of test prompts and a seed; or by what the records say, as in `metadata.split`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = "prompt"
    test: float = 0.1
    seed: int = 0

    @property
    def metadata_path(self) -> list[str] | None:
        return self.by.split(".")[1:] if self.by != "prompt" else None

    def as_json(self) -> dict[str, Any]:
        return {"by": self.by} if self.metadata_path else {"by": self.by, "test": self.test, "seed": self.seed}


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    filters: Filters = Filters()
    split: SplitRule = SplitRule()


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
    if split.metadata_path and split.model_fields_set & {"test", "seed"}:
        raise BadInput(
            _("Split either by “test” and “seed”, or by a field of the records, not by both."), field="split"
        )
    if not 0 <= split.test < 1:
        raise BadInput(_("The test share is a number from 0 up to, but not including, 1."), field="split.test")
    if not -(2**63) <= split.seed < 2**63:
        raise BadInput(_("The seed is a whole number of at most 64 bits."), field="split.seed")
    if not order.filters.outcomes or not order.filters.judge_kinds:
        raise BadInput(
            _("A filter that lets nothing through makes no dataset; leave it out to take all."), field="filters"
        )
