"""The shapes in which other programs read judgments."""

from typing import Any

import pytest

from app.datasets.order import Shape
from app.datasets.shapes import MAKERS, transcript
from tests.app.datasets.test_files import row

PROMPT = [{"role": "user", "content": "Why?"}]


def made(shape: Shape, *tiers: int | None, outcome: str = "ranked", prompt: Any = PROMPT) -> list[Any]:
    one: Any = row(1, prompt=prompt, responses=list("abcd"[: len(tiers)]), tiers=list(tiers), outcome=outcome)
    return list(MAKERS[shape](one))


def said(words: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": words}]


def test_preferences_are_all_pairs_of_a_better_and_a_worse_response():
    assert made("preference", 2, 1) == [{"prompt": PROMPT, "chosen": said("b"), "rejected": said("a")}]
    assert len(made("preference", 1, 2, 2, 3)) == 5
    assert made("preference", 1, 1, outcome="tie") == []


def test_a_prompt_as_text_is_what_was_asked_or_a_transcript():
    assert made("preference_text", 1, 2) == [{"prompt": "Why?", "chosen": "a", "rejected": "b"}]
    talk = [*PROMPT, *said("So."), {"role": "user", "content": "And?"}]
    assert transcript(talk) == "User: Why?\n\nAssistant: So.\n\nUser: And?\n\nAssistant:"


@pytest.mark.parametrize(
    ("tiers", "outcome", "labels"),
    [
        ((1, 2), "ranked", {"a": True, "b": False}),
        ((2, 1, 3, None), "ranked", {"b": True, "c": False}),
        ((1, 1), "tie", {}),
        ((None, None), "all_bad", {"a": False, "b": False}),
    ],
)
def test_unpaired_are_the_best_and_the_worst(tiers: tuple[int | None, ...], outcome: str, labels: dict[str, bool]):
    found = made("unpaired", *tiers, outcome=outcome)
    assert {one["completion"][0]["content"]: one["label"] for one in found} == labels


def test_sft_takes_the_best_tier_and_nothing_of_what_is_all_bad():
    assert [one["completion"] for one in made("sft", 2, 1, 1)] == [said("b"), said("c")]
    assert made("sft", 1, 2, outcome="all_bad") == []
