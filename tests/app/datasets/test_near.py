"""Prompts that are nearly the same."""

import random

from app.datasets.near import BINS, Near, sketched

WORDS = [f"word{number}" for number in range(400)]


def text(seed: int, n: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=n))


def clusters(texts: dict[str, str]) -> list[set[str]]:
    near = Near()
    for name, words in texts.items():
        near.add(name.encode(), words)
    return [{name.decode() for name in cluster} for cluster in near.clusters()]


def test_it_finds_what_differs_in_a_word_of_many():
    edited = text(1).split()
    edited[30] = "another"
    found = clusters({"one": text(1), "edited": " ".join(edited), "other": text(2)})
    assert found == [{"one", "edited"}]


def test_case_spacing_and_punctuation_do_not_count():
    assert clusters({"a": "What is a Haiku, please?", "b": "what is  a haiku  please"}) == [{"a", "b"}]


def test_what_is_near_to_something_near_is_in_the_same_cluster():
    first, *rest = text(3, 80), text(4, 6)
    second = first + " " + rest[0]
    third = second + " " + text(5, 6)
    assert clusters({"a": first, "b": second, "c": third, "d": text(6)}) == [{"a", "b", "c"}]


def test_prompts_that_share_only_their_opening_are_not_near():
    opening = "Please answer the following question in one short sentence: "
    assert clusters({str(number): opening + text(number, 30) for number in range(30)}) == []


def test_signs_without_spaces_between_them_are_words_of_their_own():
    one, other = (
        "请用一句话解释为什么天空是蓝色的而不是绿色的或者红色的",
        "请用一句话解释为什么天空是蓝色的而不是绿色的或者黄色的",
    )
    assert clusters({"one": one * 3, "other": one * 3 + other, "far": "今天的天气怎么样明天会下雨吗"}) == [
        {"one", "other"}
    ]


def test_texts_without_words_are_never_near():
    assert clusters({"a": "", "b": "?!", "c": "…"}) in ([], [{"a", "b", "c"}])
    assert len(sketched("")) == BINS


def test_sketches_are_equal_in_about_the_share_that_two_sets_overlap():
    words = text(7, 400).split()
    other = words[:300] + text(8, 100).split()
    equal = sum(one == two for one, two in zip(sketched(" ".join(words)), sketched(" ".join(other)), strict=True))
    assert 0.3 < equal / BINS < 0.85  # the sets overlap by 0.6
