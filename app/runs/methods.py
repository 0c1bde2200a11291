"""What trainers announce that they can do: methods and their settings, and the strict reading of settings given.

The web application knows no method by itself. It offers what a live trainer announces, with the settings, ranges and
words that came along, so a new method needs no change here. The trainer checks the settings again before it starts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import BadInput
from app.language import gettext as _


def as_devices_go() -> str:
    return _("That is as far as the devices of live trainers go.")


@dataclass(frozen=True, slots=True)
class Setting:
    """`type` is int, float, str or bool. `low` and `high` are the least and the largest value allowed.

    `is_narrowed`: the devices of live trainers allow less than the method does.
    """

    name: str
    type: str
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    help: str
    is_narrowed: bool = False

    def widened(self, other: "Setting | None") -> "Setting":
        """As far as this trainer goes or another one that lives: the run will wait for whichever has it."""
        if not self.is_narrowed or other is None or other.type != self.type:
            return self
        high = None if None in (self.high, other.high) else max(self.high or 0, other.high or 0)
        more = tuple(choice for choice in other.choices if choice not in self.choices)
        return replace(self, high=high, choices=self.choices + more, is_narrowed=other.is_narrowed)

    @property
    def range(self) -> str:
        if self.low is not None and self.high is not None:
            return f"between {self.low:,.15g} and {self.high:,.15g}"
        if self.low is not None:
            return f"at least {self.low:,.15g}"
        return f"at most {self.high:,.15g}" if self.high is not None else "a finite number"

    def read(self, value: Any) -> Any:
        """The value in this setting's type and range. A bool is no number, and text is none either."""
        if self.type == "str":
            return self._choice(value)
        if self.type == "bool":
            if not isinstance(value, bool):
                raise self._wrong(f"is true or false, not {value!r:.40}")
            return value
        return self._number(value)

    def _choice(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong(f"is text, not {value!r:.40}")
        if self.choices and value not in self.choices:
            raise self._wrong(f"is one of {', '.join(self.choices)}, not {value!r:.40}")
        return value

    def _number(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(f"is {'a whole number' if self.type == 'int' else 'a number'}, not {value!r:.40}")
        if self.type == "int" and not isinstance(value, int):
            raise self._wrong(f"is a whole number, not {value!r:.40}")
        try:
            number = float(value)
        except OverflowError:  # a whole number that fits nowhere
            number = math.inf
        is_low = self.low is not None and number < self.low
        is_high = self.high is not None and number > self.high
        if not math.isfinite(number) or is_low or is_high:
            raise self._wrong(f"is {self.range}, not {value!r:.40}")
        return value if self.type == "int" else number

    def _wrong(self, words: str) -> BadInput:
        why = " " + as_devices_go() if self.is_narrowed else ""
        return BadInput(f"“{self.name}” {words}.{why}", field=self.name)


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings that go together; the others stay at their defaults."""

    name: str
    help: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """`kind` is what it makes, a policy or a reward model; `needs` what a group must have: a "best" or an "order".

    `objective` is what is made small, in LaTeX. `ties_teach` are the choices of settings under which a group of nothing but ties will do for an order.
    """

    name: str
    title: str
    kind: str
    needs: str
    settings: tuple[Setting, ...]
    ties_teach: tuple[Mapping[str, str], ...] = ()
    objective: str = ""
    presets: tuple[Preset, ...] = ()

    def widened(self, other: "Method") -> "Method":
        """With the settings as far as one of two trainers goes that announce it."""
        theirs = {setting.name: setting for setting in other.settings}
        return replace(self, settings=tuple(each.widened(theirs.get(each.name)) for each in self.settings))

    def learns_from_ties(self, chosen: Mapping[str, Any]) -> bool:
        """Whether ties teach something under these settings, defaults filled in."""
        return any(choice.items() <= chosen.items() for choice in self.ties_teach)

    def choices(self) -> str:
        """`ties_teach` in words: settings that go together by a plus sign."""
        return ", ".join(" + ".join(f"{name}={value}" for name, value in one.items()) for one in self.ties_teach)

    def read_settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a run, those not given at their defaults. Raises BadInput that names the field."""
        known = {setting.name: setting for setting in self.settings}
        for name in given:
            if name not in known:
                raise BadInput(
                    _(
                        "%(name)s has no setting “%(setting)s”; it has %(names)s.",
                        name=self.name,
                        setting=name,
                        names=", ".join(known),
                    ),
                    field=name,
                )
        return {
            name: setting.read(given[name]) if name in given else setting.default for name, setting in known.items()
        }


def read_methods(announced: Sequence[Mapping[str, Any]]) -> list[Method]:
    """The methods of one trainer's row."""
    return [
        Method(
            name=one["name"],
            title=one["title"],
            kind=one["kind"],
            needs=one["needs"],
            settings=tuple(_read_setting(setting) for setting in one["settings"]),
            ties_teach=tuple(one.get("ties_teach") or ()),
            objective=one.get("objective", ""),
            presets=tuple(Preset(**each) for each in one.get("presets") or ()),
        )
        for one in announced
    ]


def _read_setting(announced: Mapping[str, Any]) -> Setting:
    return Setting(
        name=announced["name"],
        type=announced["type"],
        default=announced["default"],
        low=announced.get("low"),
        high=announced.get("high"),
        choices=tuple(announced.get("choices") or ()),
        help=announced.get("help", ""),
        is_narrowed=announced.get("narrowed", False),
    )
