"""Where two responses differ, word by word: each side with its own words marked.

It compares the texts as they were written, not as they are shown, so that nothing that differs can look the same. The
comparison is cheap where it has to be: whether two texts are alike is asked for every pair that is shown, and what
differs only for those where somebody wants to see it. Long texts are compared line by line first, and words only within
the lines that differ; where even that would take long, those lines are marked as a whole.
"""

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate, groupby

# The share of words in common above which looking for differences is worth it; and lengths, in words.
ALIKE = 0.6
FEWEST_WORDS = 5
LONGEST_ALIKE = 20_000
# Pairs of equal words between two passages; the comparison's work grows with them.
MOST_MATCHES = 200_000
# Words and pairs that one comparison looks at, about a second's worth.
MOST_LOOKS = 4_000_000
# A word with the space behind it, or a sign; in Chinese and Japanese, where nothing parts the words, a character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]\s*|[^\W\u3040-\u30ff\u3400-\u9fff]+\s*|[^\w\s]\s*|\s+")
_LETTERS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_SIGNS_AS_SPACE = str.maketrans(dict.fromkeys(set(string.punctuation) - {"_"}, " "))


@dataclass(frozen=True, slots=True)
class Part:
    words: str
    is_marked: bool


Side = Sequence[Part]


def are_alike(texts: Sequence[str]) -> bool:
    """Whether two texts share most of their words, in any order, and are not the same."""
    if len(texts) != 2 or texts[0] == texts[1] or max(map(len, texts)) > 8 * LONGEST_ALIKE:
        return False
    left, right = map(_bare_words, texts)
    n = len(left) + len(right)
    if not 2 * FEWEST_WORDS <= n <= 2 * LONGEST_ALIKE:
        return False
    return 2 * (Counter(left) & Counter(right)).total() >= ALIKE * n


def difference(left: str, right: str) -> tuple[Side, Side]:
    """Both texts in parts; joined they are what was given."""
    words = _words(left), _words(right)
    pairs = _compared(*words) if _is_quick(*words) else _by_lines(left, right)
    sides: tuple[list[Part], list[Part]] = ([], [])
    for is_marked, *passages in pairs:
        for side, passage in zip(sides, passages, strict=True):
            side.append(Part(passage, is_marked))
    return _joined(sides[0]), _joined(sides[1])


def _by_lines(left: str, right: str) -> Iterator[tuple[bool, str, str]]:
    lines = left.splitlines(keepends=True), right.splitlines(keepends=True)
    if not _is_quick(*lines):
        yield True, left, right
        return
    for is_marked, ours, theirs in _compared(*lines):
        words = _words(ours), _words(theirs)
        if is_marked and ours and theirs and _is_quick(*words):
            yield from _compared(*words)
        else:
            yield is_marked, ours, theirs


def _compared(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[bool, str, str]]:
    for kind, a, b, c, d in _Patient(left, right).get_opcodes():
        yield kind != "equal", "".join(left[a:b]), "".join(right[c:d])


class _Patient(SequenceMatcher[str]):
    """Finds no more passages in common once `MOST_LOOKS` are used up."""

    def __init__(self, left: Sequence[str], right: Sequence[str]) -> None:
        super().__init__(None, left, right, autojunk=False)
        there = Counter(right)
        self._looks_until = [0, *accumulate(1 + there[word] for word in left)]
        self._looks_left = MOST_LOOKS

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        self._looks_left -= self._looks_until[ahi if ahi is not None else -1] - self._looks_until[alo]
        return super().find_longest_match(alo, ahi, blo, bhi) if self._looks_left >= 0 else Match(alo, blo, 0)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _bare_words(text: str) -> list[str]:
    """Without the signs and the space between them. Every pair that is shown waits for this: ASCII takes a quarter of the time."""
    return text.translate(_SIGNS_AS_SPACE).split() if text.isascii() else _LETTERS.findall(text)


def _is_quick(left: Sequence[str], right: Sequence[str]) -> bool:
    ours, theirs = Counter(left), Counter(right)
    return sum(n * theirs[word] for word, n in ours.items()) <= MOST_MATCHES


def _joined(parts: Sequence[Part]) -> Side:
    """Neighbours of one kind as one, nothing empty, and the space behind marked words not marked."""
    runs = [
        ("".join(part.words for part in run), is_marked)
        for is_marked, run in groupby((part for part in parts if part.words), key=lambda part: part.is_marked)
    ]
    side = []
    for words, is_marked in runs:
        marked = words.rstrip() if is_marked else ""
        side += [Part(marked, is_marked=True)] if marked else []
        rest = words[len(marked) :]
        side += [Part(rest, is_marked=is_marked and not marked)] if rest else []
    return side
