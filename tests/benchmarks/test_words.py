"""The linear model that the reports hold a reward model against: what it learns, and that the prompt's rivals alone count."""

import itertools

import pytest

from benchmarks.words import WordModel, best_penalty, terms
from worker.groups import Group

WORDS = ("bad", "poor", "fair", "good", "best")
"""Worst first."""


def ranked(number: int, words: tuple[str, ...]) -> Group:
    order = sorted(words, key=lambda word: -WORDS.index(word))
    tiers = tuple(order.index(word) + 1 for word in words)
    return Group(({"role": "user", "content": f"Question {number}"},), tuple(f"It is {word}." for word in words), tiers)


GROUPS = [ranked(number, words) for size in (2, 3) for number, words in enumerate(itertools.permutations(WORDS, size))]


@pytest.mark.parametrize("loss", ["logistic", "plackett_luce"])
def test_it_learns_which_words_people_rank_higher(loss: str):
    model = WordModel(GROUPS, loss, 1e-3)
    ((scores),) = model.scores([ranked(0, WORDS)])
    assert list(scores) == sorted(scores)


def test_on_pairs_both_losses_are_bradley_terry():
    pairs = [group for group in GROUPS if len(group.responses) == 2]
    one, other = (WordModel(pairs, loss, 1e-3).scores(pairs) for loss in ("logistic", "plackett_luce"))
    assert [list(each) for each in one] == [pytest.approx(each, abs=1e-6) for each in other]


def test_the_order_of_responses_in_the_file_says_nothing():
    turned = [Group(each.prompt, each.responses[::-1], each.tiers[::-1]) for each in GROUPS]
    one, other = WordModel(GROUPS, "plackett_luce", 1e-2), WordModel(turned, "plackett_luce", 1e-2)
    ((scores),), ((again),) = one.scores([ranked(0, WORDS)]), other.scores([ranked(0, WORDS)])
    assert scores == pytest.approx(again, abs=1e-6)


def test_words_it_never_saw_change_nothing_but_the_length():
    model = WordModel(GROUPS, "logistic", 1e-3)
    ((known, unknown),) = model.scores([Group((), ("It is best.", "zebra xylophone"), (1, 2))])
    assert known > unknown == 0


def test_the_penalty_is_chosen_among_those_that_are_tried():
    assert best_penalty(GROUPS, "logistic") == best_penalty(GROUPS, "logistic") <= 1e-2


def test_chinese_is_read_by_character():
    assert terms("好的 ok") == {"好": 1, "的": 1, "ok": 1, "好 的": 1, "的 ok": 1}
