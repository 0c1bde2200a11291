"""Everything that can be set about a project, with what is usual and what is allowed, and what a change means. Pure.

The columns of `models.Project` have the same names. `checked` is asked whoever brings the values, a form or a program;
it raises BadInput that names the field.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from app.characters import CONTROL, UNSTORABLE
from app.errors import BadInput
from app.kinds.verdict import LONGEST_COMMENT
from app.language import gettext as _
from app.models import Project
from app.models.project import COMMENTS, ORDERS, OUTCOMES
from app.pages import number

LONGEST_NAME = 200
LONGEST_GUIDELINES = 50_000
MOST_JUDGMENTS = 1000
LONGEST_LEASE = 10_080
MOST_DIMENSIONS = 12
LONGEST_DIMENSION = 60
LARGEST_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """What is usual when nothing is said. `gold_share` and `repeat_share` are shares of turns, 0 to 0.5."""

    name: str
    guidelines: str = ""
    judgments_per_item: int = 1
    lease_minutes: int = 30
    outcomes: Sequence[str] = OUTCOMES
    asks_strength: bool = False
    dimensions: Sequence[str] = ()
    comments: str = "optional"
    comment_min_length: int = 0
    item_order: str = "random"
    gold_share: float = 0.05
    repeat_share: float = 0.0

    def as_columns(self) -> dict[str, Any]:
        return asdict(self) | {"outcomes": list(self.outcomes), "dimensions": list(self.dimensions)}


USUAL = ProjectSettings(name="")
NAMES = tuple(one.name for one in fields(ProjectSettings))


def settings_of(project: Project) -> ProjectSettings:
    return ProjectSettings(**{name: getattr(project, name) for name in NAMES})


def checked(given: ProjectSettings) -> ProjectSettings:
    """The settings as they are stored."""
    _check_numbers(given)
    _check_choices(given)
    return replace(
        given,
        name=_clean_name(given.name),
        guidelines=_clean_guidelines(given.guidelines),
        outcomes=[outcome for outcome in OUTCOMES if outcome in given.outcomes],
        dimensions=clean_dimensions(given.dimensions),
    )


def _clean_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadInput(_("a project needs a name of at most %(most)s characters", most=LONGEST_NAME), field="name")
    return _storable(name, "name")


def _clean_guidelines(words: str) -> str:
    words = words.replace("\r\n", "\n").strip()
    if len(words) > LONGEST_GUIDELINES:
        raise BadInput(
            _(
                "the guidelines have %(n)s characters; %(most)s are allowed",
                n=number(len(words)),
                most=number(LONGEST_GUIDELINES),
            ),
            field="guidelines",
        )
    return _storable(words, "guidelines")


def _storable(words: str, field: str) -> str:
    if UNSTORABLE.search(words):
        raise BadInput(
            _("the %(field)s holds a character that cannot be stored, such as NUL; take it out", field=field),
            field=field,
        )
    return words


def _check_numbers(given: ProjectSettings) -> None:
    if not 1 <= given.judgments_per_item <= MOST_JUDGMENTS:
        raise BadInput(
            _("judgments per item are 1 to %(most)s", most=MOST_JUDGMENTS),
            field="judgments_per_item",
        )
    if not 1 <= given.lease_minutes <= LONGEST_LEASE:
        raise BadInput(
            _("a lease is 1 to %(most)s minutes (a week) long", most=LONGEST_LEASE),
            field="lease_minutes",
        )
    if not 0 <= given.comment_min_length <= LONGEST_COMMENT:
        raise BadInput(
            _("the least length of a comment is 0 to %(most)s characters", most=LONGEST_COMMENT),
            field="comment_min_length",
        )
    for field in ("gold_share", "repeat_share"):
        if not 0 <= getattr(given, field) <= LARGEST_SHARE:  # nan is refused as well
            raise BadInput(_("this share of turns is 0 to 50 %; as a number for programs, 0 to 0.5"), field=field)


def _check_choices(given: ProjectSettings) -> None:
    unknown = [outcome for outcome in given.outcomes if outcome not in OUTCOMES]
    if unknown:
        raise BadInput(
            _("“%(unknown)s” is no outcome; there is %(names)s", unknown=unknown[0][:40], names=", ".join(OUTCOMES)),
            field="outcomes",
        )
    if "ranked" not in given.outcomes:
        raise BadInput(_("“ranked”, the choice itself, is always offered; leave it in"), field="outcomes")
    if given.comments not in COMMENTS:
        raise BadInput(_("comments are one of %(names)s", names=", ".join(COMMENTS)), field="comments")
    if given.item_order not in ORDERS:
        raise BadInput(_("the order of items is one of %(names)s", names=", ".join(ORDERS)), field="item_order")


def clean_dimensions(names: Sequence[str]) -> list[str]:
    """Names of dimensions in their order; empty ones are left out. No two may be read as the same."""
    cleaned = [name.strip() for name in names if name.strip()]
    if len(cleaned) > MOST_DIMENSIONS:
        raise BadInput(
            _("a project has at most %(most)s dimensions", most=MOST_DIMENSIONS),
            field="dimensions",
        )
    seen: set[str] = set()
    for name in cleaned:
        if len(name) > LONGEST_DIMENSION:
            raise BadInput(
                _(
                    "“%(name)s…” is too long: a dimension's name has at most %(most)s characters",
                    name=name[:40],
                    most=LONGEST_DIMENSION,
                ),
                field="dimensions",
            )
        if CONTROL.search(name):
            raise BadInput(_("a dimension's name is one line without control characters"), field="dimensions")
        if name.casefold() in seen:
            raise BadInput(
                _("“%(name)s” is there twice; each dimension needs a name of its own", name=name), field="dimensions"
            )
        seen.add(name.casefold())
    return cleaned


def consequences(before: ProjectSettings, after: ProjectSettings) -> list[str]:
    """What a change means for work under way, one sentence each."""
    said = []
    if after.judgments_per_item > before.judgments_per_item:
        said.append(_("Items that were done are open again, until they have the number that is wanted now."))
    if after.judgments_per_item < before.judgments_per_item:
        said.append(_("Judgments that are made stay and count; turns that people have open may be finished."))
    if set(before.outcomes) - set(after.outcomes):
        said.append(_("Judgments with an answer that is no longer offered stay as they are."))
    if set(before.dimensions) - set(after.dimensions):
        said.append(_("What was said about a dimension that is gone stays with its judgments."))
    if after.lease_minutes != before.lease_minutes:
        said.append(_("Turns that are open keep their time until they are looked at again."))
    if after.item_order != before.item_order:
        said.append(_("The new order holds from everybody's next turn."))
    if after.comments != before.comments or after.comment_min_length != before.comment_min_length:
        said.append(_("Comments that are written stay; the new rule holds from the next judgment."))
    return said
