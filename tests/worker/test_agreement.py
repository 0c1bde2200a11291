"""How well scores agree with an order, against counting by hand."""

import math
import random
from itertools import permutations, product

import pytest

from app.intervals import student, wilson
from worker.agreement import SOURCES, Scored, kendall, length_figures, order_figures, pairs_of


def pair(lead: float, longer: int = 0, prompt: int = 0, **more: object) -> Scored:
    """A choice between two: how far the better one's score leads, and by how much it is longer."""
    return Scored(prompt, (lead, 0.0), (1, 2), (100 + longer, 100), **more)  # type: ignore[arg-type]


def test_every_pair_counts_the_same_and_a_tie_half():
    figures = order_figures(
        [Scored("a", (1.0, 0.0), (1, 2)), Scored("b", (0.0, 3.0, 3.0), (1, 2, 3)), Scored("c", (5.0, 5.0), (1, 1))]
    )
    told = {"accuracy": 1.5 / 4, "margin": (1.0 - 3.0 - 3.0 + 0.0) / 4, "groups": 3, "prompts": 3, "pairs": 4}
    assert {name: figures[name] for name in told} == told
    assert figures["intervals"] == {}


def test_without_a_pair_there_are_only_the_counts():
    assert order_figures([Scored("a", (1.0, 2.0), (1, 1))]) == {"groups": 1, "prompts": 1, "pairs": 0}
    assert order_figures([]) == {"groups": 0, "prompts": 0, "pairs": 0}


def test_kendalls_tau_is_that_of_every_pair_counted_by_hand():
    def by_hand(scores: tuple[float, ...], tiers: tuple[int, ...]) -> float | None:
        def product_sum(left: list[int], right: list[int]) -> int:
            return sum(a * b for a, b in zip(left, right, strict=True))

        places = list(permutations(range(len(tiers)), 2))
        order = [(tiers[j] > tiers[i]) - (tiers[j] < tiers[i]) for i, j in places]
        opinion = [(scores[i] > scores[j]) - (scores[i] < scores[j]) for i, j in places]
        told, scored = product_sum(order, order), product_sum(opinion, opinion)
        if not told:
            return None
        return product_sum(order, opinion) / (told * scored) ** 0.5 if scored else 0.0

    for tiers in product((1, 2, 3), repeat=4):
        for scores in ((3.0, 1.0, 2.0, 0.0), (1.0, 1.0, 2.0, 0.0), (0.0, 0.0, 0.0, 0.0), (2.0, 2.0, 1.0, 1.0)):
            assert kendall(Scored("a", scores, tiers)) == pytest.approx(by_hand(scores, tiers))


def test_a_known_tau_with_ties_is_had_again():
    """scipy.stats.kendalltau([1, 2, 2, 3], [4, 2, 1, 1]) is −0.8 to the last digit: C − D = −4 over √(5 · 5)."""
    assert kendall(Scored("a", (4.0, 2.0, 1.0, 1.0), (1, 2, 2, 3))) == pytest.approx(0.8)


def test_only_groups_of_more_than_two_are_rankings():
    assert "kendall_tau" not in order_figures([pair(1.0)])
    figures = order_figures([pair(1.0), Scored(1, (3.0, 2.0, 1.0), (1, 2, 3)), Scored(2, (1.0, 2.0, 3.0), (1, 2, 3))])
    assert (figures["kendall_tau"], figures["rankings"]) == (0.0, 2)


def test_a_score_that_is_length_alone_is_right_by_half_once_length_is_controlled():
    """People choose the longer one in three of four pairs, by whatever lengths."""
    draw = random.Random(1)
    lengths = [draw.randint(1, 90) * (1 if number % 4 else -1) for number in range(200)]
    figures = order_figures([pair(float(longer), longer, prompt) for prompt, longer in enumerate(lengths)])
    assert figures["accuracy"] == 0.75
    assert figures["length_controlled"] == 0.5
    assert (figures["accuracy_longer"], figures["accuracy_shorter"]) == (1.0, 0.0)
    assert (figures["pairs_longer"], figures["pairs_shorter"]) == (150, 50)


def test_a_score_that_does_not_see_length_keeps_its_accuracy():
    draw = random.Random(2)
    groups = [
        pair(1.0 if draw.random() < 0.8 else -1.0, draw.randint(1, 90) * (1 if number % 4 else -1), number)
        for number in range(800)
    ]
    figures = order_figures(groups)
    assert figures["length_controlled"] == pytest.approx(figures["accuracy"], abs=0.04)
    low, high = figures["intervals"]["length_controlled"]
    assert low < 0.8 < high


def test_a_planted_liking_for_length_is_taken_out_of_a_mixed_score():
    """Score = what people liked + its length: what is right by length alone goes, what is right by worth stays."""
    draw = random.Random(3)
    groups = []
    for number in range(2000):
        longer = draw.randint(1, 90) * (1 if draw.random() < 0.75 else -1)
        groups.append(pair(draw.gauss(0.8, 1) + 0.02 * longer, longer, number))
    figures = order_figures(groups)
    balanced = [group for group in groups if group.lengths[0] > 100][:400]
    balanced += [group for group in groups if group.lengths[0] < 100][:400]
    assert figures["length_controlled"] < figures["accuracy"] - 0.05
    assert figures["length_controlled"] == pytest.approx(order_figures(balanced)["accuracy"], abs=0.03)


def test_the_interval_under_length_control_is_that_of_leaving_out_each_prompt_in_turn():
    """The jackknife knows nothing of weights and derivatives; few pairs have the shorter response as the better one."""
    draw = random.Random(4)
    pairs = []
    for prompt in range(300):
        longer = draw.choice([5, 5, 5, 5, -5])
        pairs += pairs_of([pair(1.0 if draw.random() < (0.9 if longer > 0 else 0.4) else -1.0, longer, prompt)] * 2)
    figures = length_figures(pairs)
    without = [
        length_figures([each for each in pairs if each.prompt != prompt])["length_controlled"] for prompt in range(300)
    ]
    error = math.sqrt(299 / 300 * sum((each - sum(without) / 300) ** 2 for each in without))
    share = figures["length_controlled"]
    told = wilson(share, share * (1 - share) / error**2, student(299))
    assert figures["intervals"]["length_controlled"] == pytest.approx(told, abs=0.004)


def test_copies_of_a_prompts_groups_make_no_interval_narrower():
    draw = random.Random(5)
    groups = [
        Scored(
            prompt,
            tuple(draw.random() for _ in range(3)),
            (1, 2, 3),
            tuple(draw.randint(1, 90) for _ in range(3)),
            ("birch", "maple", "oak"),
            "forum" if prompt % 2 else "chat",
        )
        for prompt in range(40)
    ]
    once, often = order_figures(groups * 2), order_figures(groups * 10)
    assert set(once["intervals"]) == {"accuracy", "margin", "length_controlled", "kendall_tau"}
    for name, interval in once["intervals"].items():
        assert often["intervals"][name] == pytest.approx(interval), name
    assert len(once["sources"]) == 5
    for row, more in zip(once["sources"], often["sources"], strict=True):
        assert more["interval"] == pytest.approx(row["interval"])


def test_pairs_of_equal_length_keep_their_weight():
    pairs = pairs_of([pair(1.0, 0), pair(1.0, 0), pair(1.0, 5), pair(-1.0, -5)])
    assert length_figures(pairs)["length_controlled"] == 0.5 * 1.0 + 0.5 * 0.5


def test_length_is_not_controlled_where_all_pairs_point_one_way():
    assert length_figures(pairs_of([pair(1.0, 3), pair(1.0, 0)])) == {}
    assert length_figures(pairs_of([Scored("a", (1.0, 0.0), (1, 2))])) == {}


def test_accuracy_is_told_for_each_source_and_each_writer():
    groups = [
        pair(1.0, source="forum", writers=("birch", "maple")),
        pair(-1.0, source="forum", writers=("birch", "birch")),
        pair(1.0, source="chat", writers=("maple", None)),
        pair(1.0),
    ]
    rows = {(row["kind"], row["name"]): (row["accuracy"], row["pairs"]) for row in order_figures(groups)["sources"]}
    assert rows == {
        ("source", "forum"): (0.5, 2),
        ("source", "chat"): (1.0, 1),
        ("model", "birch"): (0.5, 2),
        ("model", "maple"): (1.0, 2),
    }


def test_one_source_says_nothing_new_and_many_are_cut_to_the_largest():
    assert "sources" not in order_figures([pair(1.0, source="forum", writers=("birch", "birch"))])
    many = [pair(1.0, source=f"s{number}") for number in range(SOURCES + 5)] + [pair(1.0, source="s16")]
    rows = order_figures(many)["sources"]
    assert len(rows) == SOURCES
    assert (rows[0]["name"], rows[0]["pairs"]) == ("s16", 2)
