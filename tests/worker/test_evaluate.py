"""What is reported can be had again, and does not depend on how the data was cut up."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.small import GROUPS, group, small_model
from worker import evaluate, policy
from worker.batches import EncodedGroup
from worker.evaluate import (
    greedy,
    measure,
    order_figures,
    policy_figures,
    questions_in,
    reward_figures,
    share_right,
    with_reference,
)
from worker.tokens import prompt_ids


def test_a_policy_that_learnt_nothing_is_right_by_half(tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model("policy", tokenizer)
    figures = policy_figures(model, with_reference(model, groups))
    assert figures["accuracy"] == 0.5
    assert figures["margin"] == 0.0
    assert (figures["groups"], figures["pairs"]) == (5, 11)


def test_the_margin_is_the_lead_in_log_ratio_over_the_reference(tokenizer: Any, groups: list[EncodedGroup]):
    start, trained = small_model("policy", tokenizer), small_model("policy", tokenizer, seed=1)
    one = with_reference(start, groups)[:1]
    better, worse = measure(trained, one, policy.logp)[0]
    figures = policy_figures(trained, one)
    lead = (better - one[0].reference[0]) - (worse - one[0].reference[1])
    assert figures["margin"] == pytest.approx(lead)
    assert figures["accuracy"] == float(lead > 0)
    assert figures["best_logp"] == pytest.approx(better)


@pytest.mark.parametrize("at_once", [1, 60, 150])
def test_figures_do_not_depend_on_the_batch_size(
    at_once: int, tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    model = small_model("reward", tokenizer)
    whole = reward_figures(model, groups)
    monkeypatch.setattr(policy, "MOST_TOKENS", at_once)
    assert reward_figures(model, groups) == pytest.approx(whole, abs=1e-5)


def test_every_pair_counts_the_same_and_a_tie_half():
    figures = order_figures([(1.0, 0.0), (0.0, 3.0, 3.0), (5.0, 5.0)], [(1, 2), (1, 2, 3), (1, 1)])
    assert figures == {"accuracy": 1.5 / 4, "margin": (1.0 - 3.0 - 3.0 + 0.0) / 4, "groups": 3, "pairs": 4}


def test_without_a_pair_there_is_only_the_count():
    assert order_figures([(1.0, 2.0)], [(1, 1)]) == {"groups": 1, "pairs": 0}
    assert order_figures([], []) == {"groups": 0, "pairs": 0}


def test_a_greedy_answer_is_the_same_alone_and_beside_others(tokenizer: Any):
    model = small_model("policy", tokenizer, initializer_range=0.5)
    prompts = [prompt_ids(each.prompt, tokenizer) for each in GROUPS]
    together = greedy(model, prompts, max_new_tokens=6)
    assert together == [greedy(model, [prompt], max_new_tokens=6)[0] for prompt in prompts]
    assert len(set(together)) > 1


def test_it_answers_with_the_most_likely_tokens_until_the_end_token(tokenizer: Any):
    model = small_model("policy", tokenizer, initializer_range=0.5)
    prompt = prompt_ids(GROUPS[0].prompt, tokenizer)
    ids = list(prompt)
    for _ in range(6):
        with torch.no_grad():
            ids.append(int(model.network(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    continuation = ids[len(prompt) :]
    assert greedy(model, [prompt], max_new_tokens=6) == [tokenizer.decode(continuation, skip_special_tokens=True)]


def test_right_is_exactly_the_answer_but_for_space_around_it(tokenizer: Any, monkeypatch: pytest.MonkeyPatch):
    model = small_model("policy", tokenizer)
    asked = [group(f"q{number}", ["a", "b"], [1, 2], answer="12") for number in range(4)]
    monkeypatch.setattr(evaluate, "greedy", lambda *_, **__: [" 12\n", "12.", "The answer is 12", "12"])
    assert share_right(model, asked) == 0.5


def test_each_prompt_is_asked_once_and_only_where_there_is_an_answer(monkeypatch: pytest.MonkeyPatch):
    groups = [group("one", ["a", "b"], [1, 2], answer="1"), group("free", ["a", "b"], [1, 2])]
    groups += [replace(groups[0], tiers=(2, 1)), group("two", ["a", "b"], [1, 2], answer="2")]
    assert [each.answer for each in questions_in(groups)] == ["1", "2"]
    monkeypatch.setattr(evaluate, "QUESTIONS", 1)
    assert [each.answer for each in questions_in(groups)] == ["1"]


def test_answers_are_measured_only_where_code_can_check_them(tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model("policy", tokenizer)
    held_out = with_reference(model, groups)
    assert "right_answers" not in policy_figures(model, held_out, questions_in(GROUPS))
    asked = [group("What is 1 + 1?", ["2", "3"], [1, 2], answer="2")]
    assert policy_figures(model, held_out, asked)["questions"] == 1
