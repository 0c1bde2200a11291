"""What somebody decided about a group, and the checks that every kind of judging shares."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from app.errors import BadJudgment
from app.preference import dense, has_order

STRENGTHS = range(1, 4)
LONGEST_COMMENT = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and, for `ranked` and `tie`, the tier of each response (1 is best). `strength` is 1 to 3."""

    outcome: str
    tiers: Mapping[UUID, int] = field(default_factory=dict)
    strength: int | None = None
    comment: str = ""


def fitting(verdict: Verdict, response_ids: Sequence[UUID], outcomes: Collection[str]) -> Verdict:
    """The verdict as it is stored, with dense tiers for every response or for none. Raises BadJudgment.

    A tie may leave the tiers out. An order among some of the responses only is refused: it would read as a full one.
    """
    if verdict.outcome not in outcomes:
        allowed = ", ".join(f"“{outcome}”" for outcome in outcomes)
        raise BadJudgment(f"the outcome “{verdict.outcome}” is not offered here; there is {allowed}", field="outcome")
    _check_comment(verdict.comment)
    if verdict.strength is not None:
        _check_strength(verdict)
    if verdict.outcome not in {"ranked", "tie"}:
        if verdict.tiers:
            raise BadJudgment(f"“{verdict.outcome}” puts nothing in order; leave the tiers out", field="tiers")
        return verdict
    if verdict.outcome == "tie" and not verdict.tiers:
        return replace(verdict, tiers=dict.fromkeys(response_ids, 1))
    return replace(verdict, tiers=_full_tiers(verdict, response_ids))


def _check_comment(comment: str) -> None:
    if len(comment) > LONGEST_COMMENT:
        raise BadJudgment(f"the comment has more than {LONGEST_COMMENT} characters; shorten it", field="comment")
    if "\0" in comment:
        raise BadJudgment("the comment holds a NUL character, which cannot be stored; take it out", field="comment")


def _check_strength(verdict: Verdict) -> None:
    if verdict.outcome != "ranked":
        raise BadJudgment("only a choice has a strength; leave it out", field="strength")
    if verdict.strength not in STRENGTHS:
        raise BadJudgment(f"the strength {verdict.strength} is not 1, 2 or 3", field="strength")


def _full_tiers(verdict: Verdict, response_ids: Sequence[UUID]) -> dict[UUID, int]:
    foreign = [str(key) for key in verdict.tiers if key not in response_ids]
    if foreign:
        raise BadJudgment(f"this item has no response {foreign[0]}", field="tiers")
    missing = [str(key) for key in response_ids if key not in verdict.tiers]
    if missing:
        raise BadJudgment(f"response {missing[0]} has no tier; every response needs one", field="tiers")
    if not all(1 <= tier <= len(response_ids) for tier in verdict.tiers.values()):
        raise BadJudgment(f"tiers are whole numbers from 1, the best, to {len(response_ids)}", field="tiers")
    ordered = has_order(list(verdict.tiers.values()))
    if verdict.outcome == "ranked" and not ordered:
        raise BadJudgment("these tiers are all equal; the outcome for that is “tie”", field="tiers")
    if verdict.outcome == "tie" and ordered:
        raise BadJudgment("in a tie all tiers are equal; the outcome for an order is “ranked”", field="tiers")
    tiers = dense(verdict.tiers)
    return {key: tiers[key] for key in response_ids}
