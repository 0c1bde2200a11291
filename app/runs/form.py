"""The launch form: settings as people type them, drawn from what the method's trainer announced."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import BadInput
from app.language import gettext as _
from app.pages import decimal
from app.runs.methods import Method, Setting, as_devices_go

PREFIX = "set."
"""Before the name of a setting in the form, so that no setting collides with a field of the form itself."""


@dataclass(frozen=True, slots=True)
class Field:
    """One input: what stands in it, and what is wrong with that."""

    setting: Setting
    value: str
    error: str = ""

    @property
    def name(self) -> str:
        return PREFIX + self.setting.name

    @property
    def label(self) -> str:
        return self.setting.name.replace("_", " ").capitalize()

    @property
    def help(self) -> str:
        """What it is for, its default, and its range."""
        setting = self.setting
        told = [_(setting.help)] if setting.help else []
        told.append(_("Default: %(value)s.", value=words(setting.default)))
        if setting.low is not None and setting.high is not None:
            low, high = (decimal(f"{bound:.15g}") for bound in (setting.low, setting.high))
            told.append(_("From %(low)s to %(high)s.", low=low, high=high))
        if setting.is_narrowed:
            told.append(as_devices_go())
        return " ".join(told)

    @property
    def is_default(self) -> bool:
        return self.value == words(self.setting.default)

    @property
    def is_number(self) -> bool:
        return self.setting.type in {"int", "float"}


def fields(method: Method, typed: Mapping[str, str], mistake: BadInput | None = None) -> list[Field]:
    """The inputs of a method, with what was typed before and the mistake beside its field; none where nothing can be chosen."""
    return [
        Field(
            setting,
            typed.get(PREFIX + setting.name, words(setting.default)),
            mistake.message if mistake is not None and mistake.field == setting.name else "",
        )
        for setting in method.settings
        if len(setting.choices) != 1 or (mistake is not None and mistake.field == setting.name)
    ]


PRESET, SHOWN = "preset", "preset_shown"
"""In the form: the preset that was chosen, and the one that its inputs show already."""


def settled(method: Method, typed: Mapping[str, str]) -> dict[str, str]:
    """What was typed, with a preset that was only just chosen put into the inputs of its settings.

    Only then, so that what somebody changes afterwards stays; and here, so that a browser without scripts need not ask first.
    """
    chosen, settled = typed.get(PRESET, ""), dict(typed)
    if chosen != typed.get(SHOWN, chosen):
        presets = {each.name: each.settings for each in method.presets}
        touched = {name for settings in presets.values() for name in settings}
        for setting in method.settings:
            if setting.name in touched:
                settled[PREFIX + setting.name] = words(presets.get(chosen, {}).get(setting.name, setting.default))
    return settled | {SHOWN: chosen}


def typed_like(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings of a run as somebody would type them."""
    return {PREFIX + name: words(value) for name, value in settings.items()}


def words(value: Any) -> str:
    """A value as it stands in an input."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def settings_typed(method: Method, typed: Mapping[str, str]) -> dict[str, Any]:
    """The settings of this method that were typed in; an empty input means the default."""
    found = {}
    for setting in method.settings:
        text = typed.get(PREFIX + setting.name, "").strip()
        if text:
            found[setting.name] = text if setting.type == "str" else value_of(text)
    return found


def read_words(given: Iterable[str]) -> dict[str, Any]:
    """Settings from a command line: `beta=0.1`. Raises BadInput for a word without its equals sign."""
    found = {}
    for word in given:
        name, sign, text = word.partition("=")
        if not sign:
            raise BadInput(
                _("Write settings as NAME=VALUE, as in beta=0.1; “%(word)s” is not.", word=word), field="settings"
            )
        found[name.strip()] = value_of(text.strip())
    return found


def value_of(text: str) -> Any:
    """A number or true or false when it looks like one, otherwise the text itself."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, bool | int | float) else text


def priority_typed(typed: Mapping[str, str]) -> int:
    """Raises BadInput for what is no whole number; nothing typed is 0."""
    value = value_of(typed.get("priority", "").strip() or "0")
    if type(value) is not int:
        raise BadInput(_("A priority is a whole number."), field="priority")
    return value
