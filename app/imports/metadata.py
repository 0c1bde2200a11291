"""The part of a record that is kept and not looked into: what can be stored of it, and how much. Pure."""

from typing import Any

import orjson

from app.errors import BadRecord
from app.imports.transcripts import kind_of, short, text
from app.models.table import Json

DEEPEST = 20
LARGEST_BYTES = 200_000


def read_metadata(given: dict[str, Any], known: frozenset[str]) -> Json:
    """“metadata” together with the keys on top of the record that have no meaning of their own. Raises BadRecord."""
    own = given.get("metadata", {})
    if isinstance(own, str):
        own = _from_json(own)
    if not isinstance(own, dict):
        raise BadRecord(f"“metadata” must be an object {{…}}, this is {kind_of(own)}")
    found = {key: value for key, value in given.items() if key not in known} | own
    for key, value in found.items():
        _check_key(key)
        _check(value, key, DEEPEST)
    try:
        size = len(orjson.dumps(found))
    except TypeError as problem:
        raise BadRecord(f"the metadata cannot be stored as JSON: {problem}") from None
    if size > LARGEST_BYTES:
        raise BadRecord(f"the metadata has {size:,} bytes; {LARGEST_BYTES:,} are allowed, leave some of it out")
    return found


def _from_json(words: str) -> Any:
    """Tables carry an object as its JSON text."""
    try:
        return orjson.loads(words) if words.strip() else {}
    except orjson.JSONDecodeError:
        raise BadRecord(f"“metadata” is not the JSON text of an object: {short(words)}") from None


def _check_key(key: str) -> None:
    text(key, f"the key {short(key)}")


def _check(value: Any, name: str, depth: int) -> None:
    if isinstance(value, str):
        text(value, short(name))
    elif isinstance(value, dict | list):
        if depth == 0:
            raise BadRecord(f"{short(name)} is nested deeper than {DEEPEST} levels; make it flatter")
        for part in value.values() if isinstance(value, dict) else value:
            _check(part, name, depth - 1)
        if isinstance(value, dict):
            for key in value:
                _check_key(key)
