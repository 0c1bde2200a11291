"""Which part of a conversation is open at first: the last thing the user said, and what comes after it.

A long conversation before that is folded, and so is a long message: the responses are what has to be compared. Nothing
is left out; what is folded opens with a click, without a script. Where one message tells a whole conversation, with a name at
the beginning of a line for each turn, every turn is a paragraph of its own; it stays one message.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Fewer or shorter turns than these are not worth a click.
FEWEST_FOLDED = 2
SHORTEST_FOLDED = 1200
LONG_MESSAGE = 2500
_NAME = re.compile(r"\n+(?=(?:Human|Assistant|User|System):)")
FEWEST_NAMES = 2


@dataclass(frozen=True, slots=True)
class Message:
    """One turn; `is_long` ones are shown up to a height."""

    role: str
    content: str
    is_long: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """`earlier` turns are folded, `latest` are open."""

    earlier: Sequence[Message]
    latest: Sequence[Message]


def conversation(messages: Sequence[dict[str, str]]) -> Conversation:
    turns = [Message(one["role"], _apart(one["content"]), len(one["content"]) > LONG_MESSAGE) for one in messages]
    last = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=len(turns) - 1)
    before = turns[:last]
    if len(before) < FEWEST_FOLDED or sum(len(turn.content) for turn in before) < SHORTEST_FOLDED:
        return Conversation((), turns)
    return Conversation(before, turns[last:])


def _apart(words: str) -> str:
    """In code a line stays where it is."""
    is_told = len(_NAME.findall(f"\n{words}")) >= FEWEST_NAMES and "```" not in words
    return _NAME.sub("\n\n", words) if is_told else words
