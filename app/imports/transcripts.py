r"""Conversations: as lists of messages, and as the text transcripts of the first preference datasets. Pure.

A transcript is "\n\nHuman: …\n\nAssistant: …" (Bai et al. 2022, arXiv:2204.05862). Only these two names at the start of
a paragraph begin a turn, and spaces around a turn belong to the format, not to the words. Some copies have lost every second
line break: where no paragraph begins with a name, lines do, if they take turns.
"""

import re
from typing import Any

from app.characters import UNSTORABLE
from app.errors import BadRecord
from app.language import gettext
from app.pages import number
from app.prompts.groups import Message

ROLES = ("system", "user", "assistant", "tool")
LONGEST_TEXT = 200_000
MOST_MESSAGES = 500
_TURN = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
_LINE = re.compile(r"(?:\A\s*|\n)(Human|Assistant):")
_SPEAKERS = {"Human": "user", "Assistant": "assistant"}


def text(value: Any, name: str) -> str:
    """A text that can be stored and read. Empty is for the caller to judge. Raises BadRecord."""
    if not isinstance(value, str):
        raise BadRecord(gettext("%(name)s must be text, this is %(kind)s", name=name, kind=kind_of(value)))
    if len(value) > LONGEST_TEXT:
        raise BadRecord(
            gettext(
                "%(name)s has %(n)s characters; %(most)s are allowed, shorten it",
                name=name,
                n=number(len(value)),
                most=number(LONGEST_TEXT),
            )
        )
    found = UNSTORABLE.search(value)
    if found is not None:
        what = gettext("a NUL character") if found.group() == "\0" else gettext("half of a surrogate pair")
        raise BadRecord(
            gettext(
                "%(name)s holds %(what)s at position %(position)s; take it out",
                name=name,
                what=what,
                position=found.start() + 1,
            )
        )
    return value


def kind_of(value: Any) -> str:
    """What a value of JSON is called."""
    names = {
        dict: gettext("an object"),
        list: gettext("a list"),
        str: gettext("text"),
        bool: gettext("true or false"),
        type(None): gettext("nothing"),
    }
    return names.get(type(value), gettext("a number"))


def transcript(words: str) -> list[Message] | None:
    """The turns of a transcript, or None for any other text."""
    parts = _TURN.split(words)
    if len(parts) < 3 or parts[0].strip() or parts[1] != "Human":
        return None
    if len(parts) == 3 and _take_turns(lines := _LINE.split(words)):
        parts = lines
    return [
        {"role": _SPEAKERS[speaker], "content": said.strip()}
        for speaker, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


def _take_turns(parts: list[str]) -> bool:
    names = parts[1::2]
    return all(name == ("Human", "Assistant")[place % 2] for place, name in enumerate(names))


def prompt_of_text(words: str) -> list[Message]:
    """A prompt given as text: its turns when it clearly is a transcript that awaits a response, else one message."""
    turns = transcript(words)
    if turns and turns[-1] == {"role": "assistant", "content": ""}:
        turns.pop()
    if turns and turns[-1]["role"] == "user" and all(turn["content"] for turn in turns):
        return turns
    return [{"role": "user", "content": words}]


def messages(value: list[Any], name: str) -> list[Message]:
    """A list of {role, content} as it is stored. An empty system message says nothing and is left out."""
    if not value:
        raise BadRecord(gettext("%(name)s is an empty list; it needs at least one message", name=name))
    if len(value) > MOST_MESSAGES:
        raise BadRecord(
            gettext(
                "%(name)s has %(n)s messages; %(most)s are allowed", name=name, n=number(len(value)), most=MOST_MESSAGES
            )
        )
    read = [_message(one, f"{name}[{place}]") for place, one in enumerate(value)]
    return [one for one in read if one["content"].strip() or one["role"] != "system"]


def _message(value: Any, name: str) -> Message:
    if not isinstance(value, dict) or "role" not in value or "content" not in value:
        raise BadRecord(gettext("%(name)s must be a message, {“role”: …, “content”: …}", name=name))
    role = value["role"]
    if role not in ROLES:
        raise BadRecord(
            gettext(
                "%(name)s has the unknown role %(role)s; the roles are %(roles)s",
                name=name,
                role=short(role),
                roles=", ".join(ROLES),
            )
        )
    return {"role": role, "content": text(value["content"], f"{name}.content")}


def printable(words: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in words)


def short(value: Any) -> str:
    """A value as it is quoted in a message, which is stored and shown: signs that cannot be are replaced."""
    words = printable(str(value)[:41])
    return f"“{words[:40]}…”" if len(words) > 40 else f"“{words}”"
