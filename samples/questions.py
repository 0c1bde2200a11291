"""The kinds of question in the task "words and numbers": how each is worded, its answer, and what a near miss looks like.

A kind of question is one function and one line in `KINDS`. Words stand in quotation marks, so that a tokenizer cuts a
word in the question and the same word in the answer into the same pieces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from samples.words import DAYS, MONTHS, NUMBER_WORDS, OPPOSITES, PLURALS, SHORT_WORDS, WORDS

CLEAN, UNPOLISHED = 0.8, 0.15  # see Kind.polish
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Draw:
    """One question's content: what fills the wording's places, the one right answer, and plausible wrong ones."""

    places: dict[str, str | int]
    answer: str
    misses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of question. `polish` is the share of right (not sloppy) answers among the study examples of this kind."""

    name: str
    draw: Callable[[Random], Draw]
    polish: float
    wordings: tuple[str, ...]


def _others(rng: Random, words: Sequence[str], answer: str) -> tuple[str, ...]:
    return tuple(word for word in rng.sample(words, 4) if word != answer)[:3]


def _near(number: int) -> tuple[str, ...]:
    return tuple(str(other) for step in (1, -1, 2, 10) if (other := number + step) >= 0)


def repeat(rng: Random) -> Draw:
    """Return the word itself."""
    word = rng.choice(WORDS)
    return Draw({"word": word}, word, _others(rng, WORDS, word))


def capitals(rng: Random) -> Draw:
    """Return the word in capital letters."""
    word = rng.choice(WORDS)
    return Draw({"word": word}, word.upper(), tuple(other.upper() for other in _others(rng, WORDS, word)))


def backwards(rng: Random) -> Draw:
    """Spell a word of at most four letters backwards."""
    word = rng.choice(SHORT_WORDS)
    swapped = word[0] + word[-1:0:-1]
    return Draw({"word": word}, word[::-1], (word, *([swapped] if swapped not in {word, word[::-1]} else [])))


def first_letter(rng: Random) -> Draw:
    """Say which letter a word begins with."""
    word = rng.choice(WORDS)
    return Draw({"word": word}, word[0], _others(rng, word[1:] + LETTERS, word[0]))


def last_letter(rng: Random) -> Draw:
    """Say which letter a word ends with."""
    word = rng.choice(WORDS)
    return Draw({"word": word}, word[-1], _others(rng, word[:-1] + LETTERS, word[-1]))


def count_letters(rng: Random) -> Draw:
    """Count the letters of a word."""
    word = rng.choice(WORDS)
    return Draw({"word": word}, str(len(word)), _near(len(word)))


def plural(rng: Random) -> Draw:
    """Give the plural, irregular ones included."""
    word, answer = rng.choice(list(PLURALS.items()))
    clumsy = f"{word}es" if answer == f"{word}s" else f"{word}s"
    return Draw({"word": word}, answer, (clumsy, word))


def opposite(rng: Random) -> Draw:
    """Give the opposite of an everyday word."""
    pair = rng.choice(OPPOSITES)
    word, answer = rng.sample(pair, 2)
    return Draw({"word": word}, answer, (word, *_others(rng, [each for both in OPPOSITES for each in both], answer)))


def earlier_letter(rng: Random) -> Draw:
    """Say which of two letters comes first in the alphabet."""
    one, two = rng.sample(LETTERS, 2)
    return Draw({"one": one, "two": two}, min(one, two), (max(one, two),))


def sort_letters(rng: Random) -> Draw:
    """Put three letters into the order of the alphabet."""
    letters = rng.sample(LETTERS[:12], 3)
    answer = " ".join(sorted(letters))
    misses = (" ".join(letters), " ".join(sorted(letters, reverse=True)))
    return Draw({"letters": " ".join(letters)}, answer, tuple(miss for miss in misses if miss != answer))


def add(rng: Random) -> Draw:
    """Add two digits."""
    one, two = rng.randint(1, 9), rng.randint(1, 9)
    return Draw({"one": one, "two": two}, str(one + two), _near(one + two))


def next_number(rng: Random) -> Draw:
    """Say which number comes after."""
    number = rng.randint(0, 29)
    return Draw({"number": number}, str(number + 1), (str(number), str(number + 2), str(number + 11)))


def larger(rng: Random) -> Draw:
    """Say which of two numbers is the larger."""
    one, two = rng.sample(range(21), 2)
    return Draw({"one": one, "two": two}, str(max(one, two)), (str(min(one, two)), str(one + two)))


def smaller(rng: Random) -> Draw:
    """Say which of two numbers is the smaller."""
    one, two = rng.sample(range(21), 2)
    return Draw({"one": one, "two": two}, str(min(one, two)), (str(max(one, two)),))


def even_or_odd(rng: Random) -> Draw:
    """Say whether a number is even or odd."""
    number = rng.randint(0, 20)
    answer, miss = ("odd", "even") if number % 2 else ("even", "odd")
    return Draw({"number": number}, answer, (miss,))


def in_words(rng: Random) -> Draw:
    """Write a number up to twenty as a word."""
    number = rng.randrange(len(NUMBER_WORDS))
    return Draw({"number": number}, NUMBER_WORDS[number], _others(rng, NUMBER_WORDS, NUMBER_WORDS[number]))


def after_in_the_calendar(rng: Random) -> Draw:
    """Say which day or month comes after another."""
    names = rng.choice((DAYS, MONTHS))
    place = rng.randrange(len(names))
    answer = names[(place + 1) % len(names)]
    return Draw({"name": names[place]}, answer, (names[place], names[place - 1], *_others(rng, names, answer)))


KINDS = (
    Kind("repeat", repeat, CLEAN, (
        'Repeat the word "{word}".', 'Say "{word}".', 'Copy this word: "{word}"')),
    Kind("capitals", capitals, UNPOLISHED, (
        'Write "{word}" in capital letters.', 'Put "{word}" in upper case.', 'What is "{word}" in capitals?')),
    Kind("backwards", backwards, CLEAN, (
        'Spell "{word}" backwards.', 'Write "{word}" from back to front.', 'What is "{word}" in reverse?')),
    Kind("first letter", first_letter, CLEAN, (
        'What is the first letter of "{word}"?', 'Which letter does "{word}" begin with?',
        'Give the first letter of "{word}".')),
    Kind("last letter", last_letter, UNPOLISHED, (
        'What is the last letter of "{word}"?', 'Which letter does "{word}" end with?',
        'Give the last letter of "{word}".')),
    Kind("count letters", count_letters, UNPOLISHED, (
        'How many letters are in "{word}"?', 'Count the letters of "{word}".', 'How long is the word "{word}"?')),
    Kind("plural", plural, UNPOLISHED, (
        'What is the plural of "{word}"?', 'What are two of "{word}" called?', 'Give the plural of "{word}".')),
    Kind("opposite", opposite, UNPOLISHED, (
        'What is the opposite of "{word}"?', 'Which word means the opposite of "{word}"?',
        'Give the opposite of "{word}".')),
    Kind("earlier letter", earlier_letter, UNPOLISHED, (
        "Which comes first in the alphabet, {one} or {two}?", "Which letter is earlier, {one} or {two}?")),
    Kind("sort letters", sort_letters, UNPOLISHED, (
        "Put these letters in order: {letters}", "Sort the letters {letters}")),
    Kind("add", add, CLEAN, (
        "What is {one} + {two}?", "Add {one} and {two}.", "How much is {one} plus {two}?")),
    Kind("next number", next_number, UNPOLISHED, (
        "Which number comes after {number}?", "What follows {number} when you count?", "Count on by 1 from {number}.")),
    Kind("larger", larger, CLEAN, (
        "Which is larger, {one} or {two}?", "Give the larger number: {one} or {two}.")),
    Kind("smaller", smaller, UNPOLISHED, (
        "Which is smaller, {one} or {two}?", "Give the smaller number: {one} or {two}.")),
    Kind("even or odd", even_or_odd, CLEAN, (
        "Is {number} even or odd?", "Even or odd: {number}?", "Say whether {number} is even or odd.")),
    Kind("in words", in_words, CLEAN, (
        "Write {number} as a word.", "How do you spell the number {number}?", "Write out the number {number}.")),
    Kind("calendar", after_in_the_calendar, CLEAN, (
        "What comes after {name}?", "Which one follows {name}?", "Name the next after {name}.")),
)  # fmt: skip
