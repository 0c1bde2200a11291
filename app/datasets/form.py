"""The form that freezes a dataset: what was typed, read as an order."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.datasets.order import JUDGE_KINDS, MARGINS, OUTCOMES, Order
from app.errors import BadInput
from app.forms import Typed, last
from app.language import gettext as _
from app.models import User
from app.settings import comma_separated

# What an empty form shows.
USUAL: dict[str, list[str]] = {
    "split": ["prompt"],
    "test": ["0.1"],
    "seed": ["0"],
    "field": ["metadata.split"],
    "outcomes": list(OUTCOMES),
    "judge_kinds": list(JUDGE_KINDS),
    "combine": ["each"],
    "balance": ["item"],
    "margins": [", ".join(f"{margin:g}" for margin in MARGINS)],
    "shapes": ["preference"],
}
_NAMES = ("models", "sources", "tags")
_OPTIONAL = ("first_day", "last_day", "min_strength", "min_judgments")


def read(session: Session, form: Typed) -> Order:
    """Raises BadInput that names the field of the form."""
    filters: dict[str, Any] = {name: form.get(name, []) for name in ("outcomes", "judge_kinds")}
    filters |= {name: comma_separated(last(form, name)) for name in _NAMES}
    filters |= {name: last(form, name) for name in _OPTIONAL if last(form, name)}
    if last(form, "min_agreement"):
        filters["min_agreement"] = _number(last(form, "min_agreement"), "min_agreement") / 100
    filters["annotators"] = _people(session, comma_separated(last(form, "annotators")))
    margins = [_number(words, "margins") for words in comma_separated(last(form, "margins"))]
    if last(form, "split") == "metadata":
        split: dict[str, Any] = {"by": last(form, "field")}
    else:
        split = {
            "test": last(form, "test"),
            "seed": last(form, "seed"),
            "near_duplicates": bool(last(form, "near_duplicates")),
        }
    asked = {
        "name": last(form, "name"),
        "filters": filters,
        "split": split,
        "combine": last(form, "combine") or "each",
        "balance": last(form, "balance") or "item",
        "margins": margins or None,
        "shapes": form.get("shapes", []),
    }
    try:
        return Order.model_validate(asked)
    except ValidationError as error:
        found = error.errors()[0]
        field = next((part for part in found["loc"] if part in _FIELDS), str(found["loc"][0]))
        if field == "margins":
            raise BadInput(
                _("Give three margins, for slightly, clearly and much better, or none."), field=field
            ) from None
        raise BadInput(f"{field}: {found['msg']}", field=str(field)) from None


_FIELDS = {
    "test",
    "seed",
    "outcomes",
    "judge_kinds",
    "min_agreement",
    "combine",
    "balance",
    "margins",
    *_NAMES,
    *_OPTIONAL,
}


def _number(words: str, field: str) -> float:
    try:
        return float(words)
    except ValueError:
        raise BadInput(_("please enter a number"), field=field) from None


def _people(session: Session, addresses: Sequence[str]) -> list[int]:
    found = {user.email: user.id for user in session.scalars(select(User).where(User.email.in_(addresses)))}
    for address in addresses:
        if address not in found:
            raise BadInput(_("nobody here has the address “%(address)s”", address=address), field="annotators")
    return list(found.values())
