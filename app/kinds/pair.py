"""Two responses side by side: one is better, they are as good, or neither will do.

The form's `choice` is the id of the better response with, where the project asks for it, the strength behind it; or one
of the other outcomes. A dimension is a response's id or `tie`.

Where a strength is asked for, the page has one key for each step of a scale, from 1 (A is much better) over 4 (equally
good) to 7 (B is much better), in the order in which the buttons stand. Choosing first and then saying how strongly would
take two keys, and a strength that is filled in beforehand would be what hurried people say. So every step is a whole
answer with one key, and none is nearer at hand than the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from app.errors import BadJudgment
from app.kinds.form import read_choice, read_number, read_rest, write_rest
from app.kinds.verdict import Asked, Verdict, fitting
from app.language import gettext as _
from app.language import marked

NAME = "pair"
TITLE = marked("Compare two")
SIZES = range(2, 3)


def read(form: Mapping[str, str], response_ids: Sequence[UUID], asked: Asked) -> Verdict:
    rest = read_rest(form, response_ids, asked, _read_tiers)
    what, detail = read_choice(form)
    if what not in {str(key) for key in response_ids}:
        return rest
    strength = read_number(detail, "strength") if detail else None
    return replace(rest, outcome="ranked", tiers=_better(what, response_ids), strength=strength)


def write(verdict: Verdict, asked: Asked) -> dict[str, str]:
    form = write_rest(verdict, asked, _write_tiers)
    if verdict.outcome == "ranked":
        form["choice"] = str(min(verdict.tiers, key=lambda key: verdict.tiers[key]))
        form["choice"] += f" {verdict.strength}" if verdict.strength else ""
    return form


def check(verdict: Verdict, response_ids: Sequence[UUID], asked: Asked) -> Verdict:
    return fitting(verdict, response_ids, asked)


def _better(chosen: str, response_ids: Sequence[UUID]) -> dict[UUID, int]:
    return {key: 1 if str(key) == chosen else 2 for key in response_ids}


def _read_tiers(form: Mapping[str, str], name: str, response_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    answer = form.get(name, "")
    if answer in {str(key) for key in response_ids}:
        return _better(answer, response_ids)
    if answer not in {"", "tie"}:
        raise BadJudgment(_("this answer is neither one of the two responses nor a tie"), field=name)
    return dict.fromkeys(response_ids, 1) if answer else {}


def _write_tiers(name: str, tiers: Mapping[UUID, int]) -> dict[str, str]:
    best = [key for key in tiers if tiers[key] == 1]
    return {name: str(best[0]) if len(best) == 1 else "tie"}
