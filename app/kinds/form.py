"""What every judging form has besides its order: the choice, a comment, dimensions and why somebody skipped.

Each button of a form is named `choice`. Its value is what was chosen, and after a space what else the button says: the
strength behind a response's id, the reason behind `skip`. One button is then one whole answer, also without JavaScript.

The fields of a dimension are called by its name and not by its place: whoever runs the project may change the order while
somebody looks at the form.
"""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from app.errors import BadJudgment
from app.kinds.verdict import Asked, Verdict
from app.language import gettext

# Stored as they stand here; `judgments.words` says them. Whoever finds none of them fitting writes their own.
SKIP_REASONS = ("not_my_field", "cannot_tell", "unreadable", "harmful")

ReadTiers = Callable[[Mapping[str, str], str, Sequence[UUID]], Mapping[UUID, int]]
WriteTiers = Callable[[str, Mapping[UUID, int]], Mapping[str, str]]


def read_choice(form: Mapping[str, str]) -> tuple[str, str]:
    """What was chosen, and what else the button says."""
    what, _, detail = form.get("choice", "").partition(" ")
    return what, detail


def read_rest(form: Mapping[str, str], response_ids: Sequence[UUID], asked: Asked, read_tiers: ReadTiers) -> Verdict:
    """The verdict without its order. A skip leaves half-answered dimensions alone; they are no reason to hold it up.

    `read_tiers(form, name, response_ids)` reads a dimension's tiers from fields that begin with `name`; none if it was
    not answered.
    """
    what, detail = read_choice(form)
    comment = read_words(form, "comment")
    if what == "skip":
        return Verdict(what, comment=comment, skip_reason=detail or read_words(form, "skip_words"))
    answers = {name: read_tiers(form, f"dimension.{name}", response_ids) for name in asked.dimensions}
    return Verdict(what, comment=comment, dimensions={name: tiers for name, tiers in answers.items() if tiers})


def write_rest(verdict: Verdict, asked: Asked, write_tiers: WriteTiers) -> dict[str, str]:
    """The inverse of `read_rest`: the fields of a form that says this verdict."""
    form = {"choice": verdict.outcome, "comment": verdict.comment}
    if verdict.skip_reason in SKIP_REASONS:
        form["choice"] += f" {verdict.skip_reason}"
    elif verdict.skip_reason:
        form["skip_words"] = verdict.skip_reason
    for name in asked.dimensions:
        if name in verdict.dimensions:
            form |= write_tiers(f"dimension.{name}", verdict.dimensions[name])
    return form


def read_words(form: Mapping[str, str], name: str) -> str:
    """Browsers send line ends as CR LF; stored is what was typed."""
    return form.get(name, "").replace("\r\n", "\n").strip()


def read_number(words: str, field: str) -> int:
    words = words.strip()
    if not (words.isascii() and words.isdigit() and len(words) < 5):
        raise BadJudgment(gettext("“%(words)s” is not a whole number", words=words[:20]), field=field)
    return int(words)
