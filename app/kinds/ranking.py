"""Several responses put in order; responses share a place where the project offers ties.

The form's `choice` is the outcome; for `ranked` it has a number `tier.<response id>` for each response. Numbers that
are all equal are the tie that they say. A dimension has such numbers of its own, for all of the responses or for none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from app.errors import BadJudgment
from app.kinds.form import read_number, read_rest, write_rest
from app.kinds.verdict import Asked, Verdict, fitting
from app.language import gettext as _
from app.language import marked
from app.preference import has_order

NAME = "ranking"
TITLE = marked("Put in order")
SIZES = range(2, 13)


def read(form: Mapping[str, str], response_ids: Sequence[UUID], asked: Asked) -> Verdict:
    rest = read_rest(form, response_ids, asked, _read_tiers)
    if rest.outcome != "ranked":
        return rest
    tiers = {key: read_number(form.get(f"tier.{key}", ""), f"tier.{key}") for key in response_ids}
    return replace(rest, outcome="ranked" if has_order(list(tiers.values())) else "tie", tiers=tiers)


def write(verdict: Verdict, asked: Asked) -> dict[str, str]:
    form = write_rest(verdict, asked, _write_tiers)
    if verdict.outcome in {"ranked", "tie"}:
        form |= {"choice": "ranked"} | _write_tiers("tier", verdict.tiers)
    return form


def check(verdict: Verdict, response_ids: Sequence[UUID], asked: Asked) -> Verdict:
    if verdict.strength is not None:
        raise BadJudgment(_("a strength belongs to a choice between two; leave it out"), field="strength")
    return fitting(verdict, response_ids, asked)


def _read_tiers(form: Mapping[str, str], name: str, response_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    given = {key: form.get(f"{name}.{key}", "") for key in response_ids}
    if not any(given.values()):
        return {}
    return {key: read_number(words, f"{name}.{key}") for key, words in given.items()}


def _write_tiers(name: str, tiers: Mapping[UUID, int]) -> dict[str, str]:
    return {f"{name}.{key}": str(tier) for key, tier in tiers.items()}
