"""The part of a record that is kept and not looked into: what can be stored of it, and how much. Pure."""

from typing import Any

import orjson

from app.errors import BadRecord
from app.imports.transcripts import kind_of, short, text
from app.language import gettext
from app.models.table import Json
from app.pages import number

DEEPEST = 20
LARGEST_BYTES = 200_000


def read_metadata(given: dict[str, Any], known: frozenset[str]) -> Json:
    """“metadata” together with the keys on top of the record that have no meaning of their own. Raises BadRecord."""
    own = given.get("metadata", {})
    if isinstance(own, str):
        own = _from_json(own)
    if not isinstance(own, dict):
        raise BadRecord(gettext("“metadata” must be an object {…}, this is %(kind)s", kind=kind_of(own)))
    found = {key: value for key, value in given.items() if key not in known} | own
    for key, value in found.items():
        _check_key(key)
        _check(value, key, DEEPEST)
    try:
        size = len(orjson.dumps(found))
    except TypeError as problem:
        raise BadRecord(gettext("the metadata cannot be stored as JSON: %(problem)s", problem=problem)) from None
    if size > LARGEST_BYTES:
        raise BadRecord(
            gettext(
                "the metadata has %(n)s bytes; %(most)s are allowed, leave some of it out",
                n=number(size),
                most=number(LARGEST_BYTES),
            )
        )
    return found


def _from_json(words: str) -> Any:
    """Tables carry an object as its JSON text."""
    try:
        return orjson.loads(words) if words.strip() else {}
    except orjson.JSONDecodeError:
        raise BadRecord(
            gettext("“metadata” is not the JSON text of an object: %(words)s", words=short(words))
        ) from None


def _check_key(key: str) -> None:
    text(key, gettext("the key %(key)s", key=short(key)))


def _check(value: Any, name: str, depth: int) -> None:
    if isinstance(value, str):
        text(value, short(name))
    elif isinstance(value, dict | list):
        if depth == 0:
            raise BadRecord(
                gettext("%(name)s is nested deeper than %(n)s levels; make it flatter", name=short(name), n=DEEPEST)
            )
        for part in value.values() if isinstance(value, dict) else value:
            _check(part, name, depth - 1)
        if isinstance(value, dict):
            for key in value:
                _check_key(key)
