"""What a model reads that a run asks: a reward model that scores sees what the policy learns from."""

from typing import Any

import pytest

from tests.small import beginning_tokenizer, group, small_model
from worker.methods import grpo_offline, read_settings
from worker.other_models import whole
from worker.tokens import encode

LONG_PROMPT = group("the quick brown fox " * 12, ["jumps over", "the lazy dog"], [1, 2])
LONG_RESPONSE = group("Say hello.", ["hello " * 30, "the dog"], [1, 2])
SHORT = group("one two", ["three", "four"], [2, 1])
WITHIN = 48


def settings(too_long: str) -> Any:
    return read_settings(
        grpo_offline, {"weights": "score", "scores": "judge", "max_length": WITHIN, "too_long": too_long}
    )


@pytest.mark.parametrize(("too_long", "n_kept"), [("trim", 3), ("drop", 1), ("prompt", 2), ("response", 2)])
def test_a_judge_with_the_policys_tokenizer_reads_the_very_tokens_that_are_trained_on(
    tokenizer: Any, too_long: str, n_kept: int
):
    examples = [LONG_PROMPT, LONG_RESPONSE, SHORT]
    groups, cut = encode(examples, tokenizer, WITHIN, too_long)
    assert len(groups) == n_kept
    fitting = [each for place, each in enumerate(examples) if place not in cut.dropped]
    read = whole(fitting, small_model("reward", tokenizer), settings(too_long))
    assert [(each.prompt, each.responses) for each in read] == [(each.prompt, each.responses) for each in groups]


@pytest.mark.parametrize("too_long", ["drop", "prompt", "response"])
def test_what_another_tokenizer_makes_too_long_is_trimmed_and_still_scored(too_long: str):
    """Each group that is trained on needs a score; of one without, the next group would get it."""
    other = beginning_tokenizer(vocabulary=260)
    read = whole([LONG_PROMPT, LONG_RESPONSE, SHORT], small_model("reward", other), settings(too_long))
    assert [len(each.responses) for each in read] == [2, 2, 2]
    assert all(len(each.prompt) + len(response) <= WITHIN for each in read for response in each.responses)


def test_the_run_cuts_responses_for_the_judge_too(tokenizer: Any):
    """Where `trim` would take from the prompt, `response` leaves it whole."""
    long = group("the quick brown fox jumps over dogs", ["hello " * 30, "the dog"], [1, 2])
    (kept,), (trimmed,) = (
        whole([long], small_model("reward", tokenizer), settings(how)) for how in ("response", "trim")
    )
    assert len(kept.prompt) > len(trimmed.prompt)
