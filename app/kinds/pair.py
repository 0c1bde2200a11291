"""Two responses side by side: one is better, they are as good, or neither will do.

The form's `choice` is the id of the better response, or one of the other outcomes.
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from app.kinds.form import read_comment, read_strength
from app.kinds.verdict import Verdict, fitting

NAME = "pair"
TITLE = "Compare two"
SIZES = range(2, 3)


def read(form: Mapping[str, str], response_ids: Sequence[UUID]) -> Verdict:
    choice = form.get("choice", "")
    chosen = next((key for key in response_ids if str(key) == choice), None)
    if chosen is None:
        return Verdict(choice, comment=read_comment(form))
    tiers = {key: 1 if key == chosen else 2 for key in response_ids}
    return Verdict("ranked", tiers, read_strength(form), read_comment(form))


def check(verdict: Verdict, response_ids: Sequence[UUID], outcomes: Collection[str]) -> Verdict:
    return fitting(verdict, response_ids, outcomes)
