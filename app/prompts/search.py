"""Looking for words in texts whatever their case, in any alphabet: one rule for every search.

A database made with the locale C knows upper and lower case of English letters alone, so `lower` and `ILIKE` would find “ÜBER” or
“Привет” in one place and not in another. Here both cases of each letter are written into a pattern instead, by Unicode's case
folding, which finds the same in every database. White space stands for any white space, since whoever remembers two words does
not remember where the line was broken between them.
"""

import re
from collections.abc import Iterator
from functools import cache

from sqlalchemy import ColumnElement, ColumnExpressionArgument, func, literal, select

from app.models import Prompt

# No alphabet behind it has large and small letters.
END_OF_ALPHABETS = 0x1F000


def has(text: ColumnExpressionArgument[str], words: str) -> ColumnElement[bool]:
    """Whether a text has the words, which are taken literally."""
    return func.coalesce(text, "").op("~", is_comparison=True)(pattern(words))


def prompt_has(words: str) -> ColumnElement[bool]:
    """Whether a turn of the prompt, which the statement around it reads, has the words."""
    message = func.jsonb_array_elements(Prompt.messages).table_valued("value", name="message").render_derived()
    content = message.c.value.op("->>")("content")
    return select(literal(1)).select_from(message).where(has(content, words)).correlate(Prompt).exists()


def pattern(words: str) -> str:
    """A regular expression as Postgres reads it."""
    return r"\s+".join("".join(_any_case(word.casefold())) for word in words.split())


def _any_case(folded: str) -> Iterator[str]:
    at = 0
    while at < len(folded):
        part = next(part for length in (3, 2, 1) if (part := folded[at : at + length]) in _spellings() or length == 1)
        several = sorted(_spellings().get(part, ()))
        if len(part) > 1:  # one letter on paper or several: ß is ss, and SS
            several.append("".join(_any_case_of_one(letter) for letter in part))
            yield f"(?:{'|'.join(several)})"
        else:
            yield _any_case_of_one(part)
        at += len(part)


def _any_case_of_one(letter: str) -> str:
    several = _spellings().get(letter)
    return f"[{''.join(sorted(several | {letter}))}]" if several else re.escape(letter)


@cache
def _spellings() -> dict[str, set[str]]:
    """The letters that differ by their case alone, by what they are folded to: Σ and ς to σ, ß and ẞ to ss."""
    found: dict[str, set[str]] = {}
    for letter in map(chr, range(END_OF_ALPHABETS)):
        if (folded := letter.casefold()) != letter:
            found.setdefault(folded, set()).add(letter)
    return found
