"""Several responses put in order, ties allowed.

The form's `choice` is the outcome; for `ranked` it has a number `tier.<response id>` for each response. Numbers that
are all equal are the tie that they say.
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from app.errors import BadJudgment
from app.kinds.form import read_comment, read_number
from app.kinds.verdict import Verdict, fitting
from app.preference import has_order

NAME = "ranking"
TITLE = "Put in order"
SIZES = range(2, 13)


def read(form: Mapping[str, str], response_ids: Sequence[UUID]) -> Verdict:
    choice, comment = form.get("choice", ""), read_comment(form)
    if choice != "ranked":
        return Verdict(choice, comment=comment)
    tiers = {key: read_number(form, f"tier.{key}") for key in response_ids}
    return Verdict("ranked" if has_order(list(tiers.values())) else "tie", tiers, comment=comment)


def check(verdict: Verdict, response_ids: Sequence[UUID], outcomes: Collection[str]) -> Verdict:
    if verdict.strength is not None:
        raise BadJudgment("a strength belongs to a choice between two; leave it out", field="strength")
    return fitting(verdict, response_ids, outcomes)
