"""From the server's JSON to frozen records, by the names and types of their fields.

Fields that a record does not know are passed over, so that a newer server can say more. `Annotated[…, "name"]` reads a
field from another name. A record with verbs of its own has a field `_connection`, which is handed in.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypedDict, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import UnexpectedAnswerError

Record = TypeVar("Record")
Convert = Callable[[Any, Any], Any]


class Message(TypedDict):
    """A plain dictionary, since that is what chat templates take."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class _Place:
    field: str
    key: str
    convert: Convert | None
    is_optional: bool


def read(kind: type[Record], told: Mapping[str, Any], connection: object = None) -> Record:
    """Raises UnexpectedAnswerError where the answer lacks something."""
    values: dict[str, Any] = {}
    try:
        for place in _places(cast("Hashable", kind)):
            if place.key == "_connection":
                values["_connection"] = connection
            elif place.key in told:
                value = told[place.key]
                values[place.field] = value if place.convert is None else place.convert(value, connection)
            elif not place.is_optional:
                raise UnexpectedAnswerError(_other_version(f"it has no “{place.key}”"))
    except (TypeError, ValueError) as problem:
        raise UnexpectedAnswerError(_other_version(str(problem))) from problem
    return kind(**values)


def _other_version(what: str) -> str:
    return f"the server's answer is not as expected: {what}. Is this client as old as the server?"


@cache
def _places(kind: Any) -> tuple[_Place, ...]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint, key = hints[field.name], field.name
        if get_origin(hint) is Annotated:
            hint, key = get_args(hint)
        is_optional = field.default is not MISSING or field.default_factory is not MISSING
        found.append(_Place(field.name, key, _conversion(hint), is_optional))
    return tuple(found)


def _conversion(hint: Any) -> Convert | None:
    """None for what is already as it should be."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType} and NoneType in inner:
        of_value = _conversion(next(one for one in inner if one is not NoneType))
        return of_value and (lambda value, to: None if value is None else of_value(value, to))
    if origin is tuple:
        of_one = _conversion(inner[0])
        return lambda value, to: tuple(value if of_one is None else (of_one(one, to) for one in value))
    if hint is datetime:
        return lambda value, _: datetime.fromisoformat(value)
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda value, to: read(hint, value, to)
    return None
