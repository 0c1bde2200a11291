"""The form that freezes a dataset: what was typed, read as an order."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.datasets.order import JUDGE_KINDS, MARGINS, OUTCOMES, Order
from app.errors import BadInput
from app.forms import names
from app.language import gettext as _
from app.models import User

Typed = Mapping[str, Sequence[str]]
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
    filters |= {name: names(one(form, name)) for name in _NAMES}
    filters |= {name: one(form, name) for name in _OPTIONAL if one(form, name)}
    if one(form, "min_agreement"):
        filters["min_agreement"] = _number(one(form, "min_agreement"), "min_agreement") / 100
    filters["annotators"] = _people(session, names(one(form, "annotators")))
    margins = [_number(words, "margins") for words in names(one(form, "margins"))]
    if one(form, "split") == "metadata":
        split: dict[str, Any] = {"by": one(form, "field")}
    else:
        split = {
            "test": one(form, "test"),
            "seed": one(form, "seed"),
            "near_duplicates": bool(one(form, "near_duplicates")),
        }
    asked = {
        "name": one(form, "name"),
        "filters": filters,
        "split": split,
        "combine": one(form, "combine") or "each",
        "balance": one(form, "balance") or "item",
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


def one(form: Typed, name: str) -> str:
    """The last value of a field, without the space around it."""
    return (form.get(name) or [""])[-1].strip()


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
