"""How an attempt may end: with an address, or with words for whoever ordered it.

Failure        it will not work like this; somebody must change something, and the words say what
  Passing      it may work later: the other side is busy, away, or the line is cut
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 600


class Failure(Exception):  # noqa: N818 -- an outcome, told in words
    """The words are in English, as all that jobs write down for later."""


class Passing(Failure):
    pass


@dataclass(frozen=True, slots=True)
class Arrived:
    """Where it is now; `commit` on a hub."""

    address: str
    commit: str | None = None


def scrubbed(words: str, secrets: Sequence[str]) -> str:
    """Without anything secret that a library or a server has put into its words, in one line, and short."""
    for secret in secrets:
        words = words.replace(secret, "…")
    words = re.sub(r"\?\S*(signature|credential|token)\S*", "", words, flags=re.IGNORECASE)  # a signed link's query
    return " ".join(words.split())[:LONGEST]
