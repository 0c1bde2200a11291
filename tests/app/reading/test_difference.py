import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reading.difference import Side, are_alike, difference

WORDS = "Water the plants in the morning, at the root, and cover the soil."


def marked(side: Side) -> list[str]:
    return [part.words.strip() for part in side if part.is_marked]


def test_it_marks_the_words_that_only_one_has() -> None:
    ours, theirs = difference(WORDS, WORDS.replace("morning", "late evening"))
    assert marked(ours) == ["morning"]
    assert marked(theirs) == ["late evening"]


def test_a_word_that_is_missing_is_marked_where_it_stands() -> None:
    ours, theirs = difference(WORDS, WORDS.replace("the root, and ", ""))
    assert marked(ours) == ["the root, and"]
    assert marked(theirs) == []


def test_chinese_is_compared_by_characters() -> None:
    ours, theirs = difference("我们今天去公园", "我们明天去公园")
    assert (marked(ours), marked(theirs)) == (["今"], ["明"])


@given(st.text(alphabet="ab \n", max_size=60), st.text(alphabet="ab \n", max_size=60))
@settings(max_examples=200)
def test_both_texts_are_shown_whole(left: str, right: str) -> None:
    sides = difference(left, right)
    assert ["".join(part.words for part in side) for side in sides] == [left, right]
    plain = ["".join(part.words for part in side if not part.is_marked) for side in sides]
    assert plain[0].split() == plain[1].split()


@pytest.mark.parametrize(
    ("texts", "alike"),
    [
        ([WORDS, WORDS.replace("morning", "evening")], True),
        ([WORDS, WORDS.replace(",", ";").replace(" ", "\n")], True),
        (["早上给植物浇水，要浇在根部。", "晚上给植物浇水，要浇在根部。"], True),
        ([WORDS, WORDS], False),
        ([WORDS, "Something else that has nothing to do with it at all."], False),
        (["Yes.", "Yes!"], False),
        ([WORDS], False),
        ([WORDS, WORDS + "x", WORDS + "y"], False),
    ],
)
def test_it_is_offered_where_two_are_nearly_the_same(texts: list[str], alike: bool) -> None:
    assert are_alike(texts) is alike


@pytest.mark.parametrize(
    "texts",
    [
        ("a b " * 30_000, "b a " * 30_000),
        ("a\nb\n" * 30_000, "b\na\n" * 30_000),
        ("x" * 200_000, "x y " * 50_000),
        (" ".join(map(str, range(30_000))), " ".join(f"{number} x{number}" for number in range(30_000))),
    ],
    ids=["words", "lines", "one word", "every second word"],
)
def test_long_texts_are_compared_roughly_rather_than_slowly(texts: tuple[str, str]) -> None:
    begun = time.process_time()
    sides = difference(*texts)
    assert time.process_time() - begun < 10
    assert ["".join(part.words for part in side) for side in sides] == list(texts)
