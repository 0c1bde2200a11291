"""The ways of judging a group: one file each, listed in `KINDS`.

A kind says how many responses it shows, reads what its form sends, writes the form that says a verdict, and checks a
verdict wherever it comes from. What is stored is the same for all of them (outcome and tiers by response id), and so is
what their forms have besides the order (`form`, `templates/kinds/form.html`). A new kind needs a file here, its template
and its line in the tuple.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from app.errors import BadInput
from app.kinds import pair, ranking
from app.kinds.verdict import Asked, Verdict, asked_by
from app.language import gettext as _

__all__ = ["KINDS", "Asked", "Kind", "Verdict", "asked_by", "kind_named"]


class Kind(Protocol):
    """What each kind, a module, holds."""

    # Stored in `project.kind`, and the stem of its template; never renamed.
    NAME: str
    TITLE: str
    # How many responses an item may have.
    SIZES: range

    def read(self, form: Mapping[str, str], response_ids: Sequence[UUID], asked: Asked) -> Verdict:
        """What a person entered. `choice` is the button pressed; raises BadJudgment for what no button sends."""
        ...

    def write(self, verdict: Verdict, asked: Asked) -> dict[str, str]:
        """The form that says a stored verdict: what `read` makes of it is that verdict again."""
        ...

    def check(self, verdict: Verdict, response_ids: Sequence[UUID], asked: Asked) -> Verdict:
        """The verdict as it is stored, if the project takes it. Raises BadJudgment."""
        ...


KINDS: tuple[Kind, ...] = (pair, ranking)
_BY_NAME = {kind.NAME: kind for kind in KINDS}


def kind_named(name: str) -> Kind:
    if name not in _BY_NAME:
        raise BadInput(
            _("“%(name)s” is no kind of judging; there is %(names)s", name=name, names=", ".join(_BY_NAME)),
            field="kind",
        )
    return _BY_NAME[name]
