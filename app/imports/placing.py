"""How a record says that its item is handed out: as a known answer, before or after others, for one person alone. Pure."""

from typing import Any

from app.errors import BadRecord
from app.imports.transcripts import kind_of, short
from app.language import gettext
from app.pages import number
from app.prompts.groups import LARGEST_PRIORITY, Placing

PLACING_KEYS = ("gold", "training", "priority", "reserved_for")


def read_placing(given: dict[str, Any], tiers: tuple[int, ...], reserved_for: str) -> Placing:
    """The right answer, if its tiers are one, and when the item is judged. Raises BadRecord."""
    is_training = _yes(given, "training")
    is_gold = _yes(given, "gold") or is_training
    if is_gold and not tiers:
        raise BadRecord(
            gettext("gold and training need the right answer: a “tier” for each response, or “chosen” and “rejected”")
        )
    if is_gold and reserved_for:
        raise BadRecord(gettext("gold and training are for everybody; leave “reserved_for” out"))
    priority = given.get("priority")
    if isinstance(priority, str):  # a table's cell
        priority = _number_in(priority)
    if isinstance(priority, bool) or not isinstance(priority, int | float | None):
        raise BadRecord(
            gettext("“priority” must be a number, this is %(kind)s; below 0 is urgent", kind=kind_of(priority))
        )
    if priority is not None and not abs(priority) <= LARGEST_PRIORITY:
        raise BadRecord(
            gettext(
                "“priority” is %(value)s; give a number of at most %(most)s or leave it out",
                value=short(priority),
                most=number(LARGEST_PRIORITY),
            )
        )
    return Placing(tiers if is_gold else (), is_training, None if priority is None else float(priority))


def _number_in(words: str) -> float | str | None:
    try:
        return float(words) if words.strip() else None
    except ValueError:
        return words


def _yes(given: dict[str, Any], key: str) -> bool:
    value = given.get(key, False)
    if isinstance(value, str):  # a table's cell
        value = {"true": True, "false": False, "": False}.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        raise BadRecord(
            gettext(
                "“%(key)s” must be true or false, this is %(value)s; other things go into “metadata”",
                key=key,
                value=short(value),
            )
        )
    return value
