"""Every kind of question, asked many times: its answer is worked out here by another way than there."""

from collections.abc import Callable
from random import Random

import pytest

from samples.questions import KINDS, Draw, Kind
from samples.words import DAYS, MONTHS, NUMBER_WORDS, OPPOSITES, PLURALS, WORDS

BY_NAME = {kind.name: kind for kind in KINDS}


def draws(name: str) -> list[Draw]:
    rng = Random(name)
    return [BY_NAME[name].draw(rng) for _ in range(300)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_fills_every_wording_and_never_calls_the_answer_a_miss(kind: Kind) -> None:
    rng = Random(0)
    for _ in range(300):
        draw = kind.draw(rng)
        assert draw.answer
        assert [miss for miss in draw.misses if miss and miss != draw.answer]
        for wording in kind.wordings:
            question = wording.format(**draw.places)
            assert question != wording
            assert all(str(place) in question for place in draw.places.values())


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("repeat", lambda word: word),
        ("capitals", lambda word: "".join(letter.upper() for letter in word)),
        ("backwards", lambda word: "".join(reversed(word))),
        ("first letter", lambda word: next(iter(word))),
        ("last letter", lambda word: next(reversed(word))),
        ("count letters", lambda word: str(sum(1 for _ in word))),
        ("plural", lambda word: PLURALS[word]),
    ],
)
def test_it_knows_words(name: str, answer: Callable[..., object]) -> None:
    assert all(draw.answer == answer(draw.places["word"]) for draw in draws(name))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("add", lambda one, two: one + two),
        ("larger", lambda one, two: (one + two + abs(one - two)) // 2),
        ("smaller", lambda one, two: (one + two - abs(one - two)) // 2),
        ("earlier letter", lambda one, two: one if ord(one) < ord(two) else two),
    ],
)
def test_it_knows_which_of_two(name: str, answer: Callable[..., object]) -> None:
    assert all(draw.answer == str(answer(draw.places["one"], draw.places["two"])) for draw in draws(name))


def test_it_counts_and_knows_even_from_odd() -> None:
    assert all(int(draw.answer) - 1 == draw.places["number"] for draw in draws("next number"))
    assert all((draw.answer == "odd") == (draw.places["number"] in range(1, 100, 2)) for draw in draws("even or odd"))
    assert all(NUMBER_WORDS.index(draw.answer) == draw.places["number"] for draw in draws("in words"))


def test_it_sorts_letters() -> None:
    for draw in draws("sort letters"):
        one, two, three = draw.answer.split()
        assert one < two < three
        assert {one, two, three} == set(draw.places["letters"].split())


def test_it_goes_round_the_calendar() -> None:
    after = {draw.places["name"]: draw.answer for draw in draws("calendar")}
    assert after["Sunday"] == "Monday"
    assert after["Tuesday"] == "Wednesday"
    assert after["December"] == "January"
    assert set(after) == {*DAYS, *MONTHS}


def test_it_gives_one_opposite_only_to_each_word() -> None:
    words = [word for pair in OPPOSITES for word in pair]
    assert len(set(words)) == len(words)
    for draw in draws("opposite"):
        assert {draw.places["word"], draw.answer} in [set(pair) for pair in OPPOSITES]


def test_it_lists_no_word_twice() -> None:
    for words in (WORDS, NUMBER_WORDS, DAYS, MONTHS, tuple(PLURALS.values())):
        assert len(set(words)) == len(words)
