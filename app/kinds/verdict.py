"""What somebody decided about a group, what a project asks of them, and the checks that every kind of judging shares."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from app.errors import BadJudgment
from app.language import gettext as _
from app.models import Project
from app.models.project import OUTCOMES
from app.preference import dense, has_order

STRENGTHS = range(1, 4)
LONGEST_COMMENT = 10_000
LONGEST_SKIP_REASON = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and, for `ranked` and `tie`, the tier of each response (1 is best).

    `strength` is 1 (slightly better) to 3 (much better). `dimensions` has the tiers of each dimension that was answered,
    by its name. `skip_reason` is one of `form.SKIP_REASONS` or somebody's own words.
    """

    outcome: str
    tiers: Mapping[UUID, int] = field(default_factory=dict)
    strength: int | None = None
    comment: str = ""
    dimensions: Mapping[str, Mapping[UUID, int]] = field(default_factory=dict)
    skip_reason: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a project asks for and takes: the columns of `Project` with these names.

    A strength is taken from programs also where the page does not ask for one, so it is no part of this.
    """

    outcomes: Collection[str] = OUTCOMES
    dimensions: Sequence[str] = ()
    comments: str = "optional"
    comment_min_length: int = 0


def asked_by(project: Project) -> Asked:
    return Asked(project.outcomes, project.dimensions, project.comments, project.comment_min_length)


def fitting(verdict: Verdict, response_ids: Sequence[UUID], asked: Asked) -> Verdict:
    """The verdict as it is stored, with dense tiers for every response or for none. Raises BadJudgment.

    A tie may leave the tiers out. An order among some of the responses only is refused: it would read as a full one.
    """
    if verdict.outcome not in asked.outcomes:
        allowed = ", ".join(f"“{outcome}”" for outcome in asked.outcomes)
        raise BadJudgment(
            _(
                "the outcome “%(outcome)s” is not offered here; there is %(allowed)s",
                outcome=verdict.outcome,
                allowed=allowed,
            ),
            field="outcome",
        )
    _check_comment(verdict, asked)
    _check_skip_reason(verdict)
    if verdict.strength is not None:
        _check_strength(verdict)
    verdict = replace(verdict, dimensions=_full_dimensions(verdict, response_ids, asked))
    if verdict.outcome not in {"ranked", "tie"}:
        if verdict.tiers:
            raise BadJudgment(
                _("“%(outcome)s” puts nothing in order; leave the tiers out", outcome=verdict.outcome), field="tiers"
            )
        return verdict
    if verdict.outcome == "tie" and not verdict.tiers:
        return replace(verdict, tiers=dict.fromkeys(response_ids, 1))
    return replace(verdict, tiers=_order(verdict, response_ids, asked))


def _check_comment(verdict: Verdict, asked: Asked) -> None:
    comment = verdict.comment
    if len(comment) > LONGEST_COMMENT:
        raise BadJudgment(
            _("the comment has more than %(most)s characters; shorten it", most=LONGEST_COMMENT),
            field="comment",
        )
    if "\0" in comment:
        raise BadJudgment(_("the comment holds a NUL character, which cannot be stored; take it out"), field="comment")
    if comment and asked.comments == "off":
        raise BadJudgment(_("this project takes no comments; leave the comment out"), field="comment")
    if asked.comments != "required" or verdict.outcome == "skip":
        return
    if not comment.strip():
        raise BadJudgment(_("this project asks for a comment; say in a few words why"), field="comment")
    if len(comment.strip()) < asked.comment_min_length:
        raise BadJudgment(
            _(
                "the comment has %(n)s characters; this project asks for %(least)s",
                n=len(comment.strip()),
                least=asked.comment_min_length,
            ),
            field="comment",
        )


def _check_skip_reason(verdict: Verdict) -> None:
    if verdict.skip_reason and verdict.outcome != "skip":
        raise BadJudgment(_("only a skip has a reason for skipping; leave it out"), field="skip_reason")
    if len(verdict.skip_reason) > LONGEST_SKIP_REASON:
        raise BadJudgment(
            _(
                "the reason has more than %(most)s characters; shorten it",
                most=LONGEST_SKIP_REASON,
            ),
            field="skip_reason",
        )
    if "\0" in verdict.skip_reason:
        raise BadJudgment(
            _("the reason holds a NUL character, which cannot be stored; take it out"), field="skip_reason"
        )


def _check_strength(verdict: Verdict) -> None:
    if verdict.outcome != "ranked":
        raise BadJudgment(_("only a choice has a strength; leave it out"), field="strength")
    if verdict.strength not in STRENGTHS:
        raise BadJudgment(_("the strength %(strength)s is not 1, 2 or 3", strength=verdict.strength), field="strength")


def _full_dimensions(verdict: Verdict, response_ids: Sequence[UUID], asked: Asked) -> dict[str, Mapping[UUID, int]]:
    """Each answered dimension with dense tiers for every response, in the project's order."""
    for name in verdict.dimensions:
        if name not in asked.dimensions:
            there = ", ".join(f"“{one}”" for one in asked.dimensions) or "none"
            raise BadJudgment(
                _("this project has no dimension “%(name)s”; there is %(there)s", name=name[:80], there=there),
                field="dimensions",
            )
    if verdict.dimensions and verdict.outcome == "skip":
        raise BadJudgment(_("a skip says nothing about the responses; leave the dimensions out"), field="dimensions")
    answered = [name for name in asked.dimensions if name in verdict.dimensions]
    return {name: full_tiers(verdict.dimensions[name], response_ids, f"dimensions.{name}") for name in answered}


def _order(verdict: Verdict, response_ids: Sequence[UUID], asked: Asked) -> dict[UUID, int]:
    tiers = full_tiers(verdict.tiers, response_ids, "tiers")
    ordered = has_order(list(tiers.values()))
    if verdict.outcome == "ranked" and not ordered:
        raise BadJudgment(_("these tiers are all equal; the outcome for that is “tie”"), field="tiers")
    if verdict.outcome == "tie" and ordered:
        raise BadJudgment(_("in a tie all tiers are equal; the outcome for an order is “ranked”"), field="tiers")
    if verdict.outcome == "ranked" and "tie" not in asked.outcomes and len(set(tiers.values())) < len(tiers):
        raise BadJudgment(_("this project has no ties; give every response a place of its own"), field="tiers")
    return tiers


def full_tiers(given: Mapping[UUID, int], response_ids: Sequence[UUID], name: str) -> dict[UUID, int]:
    """Dense tiers for all of the responses; `name` is the field that an error names."""
    foreign = [str(key) for key in given if key not in response_ids]
    if foreign:
        raise BadJudgment(_("this item has no response %(key)s", key=foreign[0]), field=name)
    missing = [str(key) for key in response_ids if key not in given]
    if missing:
        raise BadJudgment(_("response %(key)s has no tier; every response needs one", key=missing[0]), field=name)
    if not all(1 <= tier <= len(response_ids) for tier in given.values()):
        raise BadJudgment(_("tiers are whole numbers from 1, the best, to %(n)s", n=len(response_ids)), field=name)
    tiers = dense(given)
    return {key: tiers[key] for key in response_ids}
