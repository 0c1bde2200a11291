"""What is reported can be had again, and does not depend on how the data was cut up."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from tests.small import GROUPS, group, small_model
from worker import policy
from worker.batches import EncodedGroup
from worker.evaluate import evaluate, measure, policy_figures, reward_figures, with_reference
from worker.methods import find_method, read_settings
from worker.policy import Model, merged
from worker.tokens import encode


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


def flat(figures: dict[str, Any]) -> dict[str, float]:
    """The numbers, those of the intervals too."""
    bounds = {f"{name} {side}": told[side] for name, told in figures["intervals"].items() for side in (0, 1)}
    return {name: value for name, value in figures.items() if isinstance(value, int | float)} | bounds


@pytest.mark.parametrize("at_once", [1, 60, 150])
def test_figures_do_not_depend_on_the_batch_size(
    at_once: int, tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    model = small_model("reward", tokenizer)
    settings = read_settings(find_method("reward"), {})
    whole = flat(evaluate(model, settings, groups, GROUPS))
    monkeypatch.setattr(policy, "MOST_TOKENS", at_once)
    assert flat(evaluate(model, settings, groups, GROUPS)) == pytest.approx(whole, abs=1e-5)
    assert {"accuracy", "kendall_tau", "brier", "length_controlled"} <= set(whole)


def test_what_is_known_of_the_responses_goes_along(tokenizer: Any):
    """A response that was not judged has neither score nor writer."""
    told = [
        group("one", ["the fox", "x" * 20, "a dog"], [2, None, 1], models=("birch", "oak", "maple"), source="forum"),
        group("two", ["the dog", "a fox!"], [1, 2], models=("maple", "birch"), source="chat"),
    ]
    model = small_model("reward", tokenizer)
    figures = reward_figures(model, encode(told, tokenizer, 64)[0], told)
    assert [(row["name"], row["pairs"]) for row in figures["sources"]] == [
        ("chat", 1),
        ("forum", 1),
        ("birch", 2),
        ("maple", 2),
    ]
    assert (figures["pairs_longer"], figures["pairs_shorter"]) == (1, 1)


def test_a_policy_is_held_to_beta_times_its_log_ratio(tokenizer: Any):
    start, trained = small_model("policy", tokenizer), small_model("policy", tokenizer, seed=1)
    told = [group("What is quick?", ["the fox", "a dog that sleeps all day"], [1, 2])]
    held_out = with_reference(start, encode(told, tokenizer, 64)[0])
    (ratios,) = (
        [now - then for now, then in zip(*both, strict=True)]
        for both in zip(measure(trained, held_out, policy.logp), [held_out[0].reference], strict=True)
    )
    sizes = [len(response) for response in held_out[0].responses]
    for how, lead in (
        ({"beta": 0.3}, 0.3 * (ratios[0] - ratios[1])),
        ({"beta": 2.0, "tokens": "mean"}, 2.0 * (ratios[0] / sizes[0] - ratios[1] / sizes[1])),
    ):
        figures = evaluate(trained, read_settings(find_method("dpo"), how), held_out, told)
        assert figures["log_loss"] == pytest.approx(math.log1p(math.exp(-lead)), rel=1e-5)
    assert figures["questions"] == 1
    assert figures["answer_tokens"] > 0


def published(model: Model, folder: Path) -> Path:
    merged(model).save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_published_reward_model_scores_the_same_alone_and_in_a_batch(
    lora_rank: int, tokenizer: Any, groups: list[EncodedGroup], tmp_path: Path
):
    model = small_model("reward", tokenizer, lora_rank=lora_rank)
    for weights in model.trainable() if lora_rank else ():  # as if they had been trained: new adapters change nothing
        torch.nn.init.normal_(weights, std=0.2)
    ours = [score for scores in measure(model, groups, policy.rewards) for score in scores]
    folder = published(model, tmp_path)
    plain, reader = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    rows = [group.prompt + response for group in groups for response in group.responses]
    with torch.no_grad():
        alone = [plain(torch.tensor([row])).logits[0, 0].item() for row in rows]
        padded = reader.pad({"input_ids": [list(row) for row in rows]}, padding_side="right", return_tensors="pt")
        together = plain(**padded).logits[:, 0].tolist()
    assert alone == pytest.approx(ours, abs=1e-5)
    assert together == pytest.approx(ours, abs=1e-5)


def test_a_published_policy_gives_the_same_log_probabilities_alone_and_in_a_batch(
    tokenizer: Any, groups: list[EncodedGroup], tmp_path: Path
):
    model = small_model("policy", tokenizer)
    ours = [value for values in measure(model, groups, policy.logp) for value in values]
    folder = published(model, tmp_path)
    plain, reader = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    rows = [(group.prompt, response) for group in groups for response in group.responses]
    whole = [list(prompt + response) for prompt, response in rows]

    def total(logits: torch.Tensor, place: int) -> float:
        prompt, response = rows[place]
        table = logits.log_softmax(-1)
        return sum(table[len(prompt) - 1 + at, token].item() for at, token in enumerate(response))

    with torch.no_grad():
        alone = [total(plain(torch.tensor([row])).logits[0], place) for place, row in enumerate(whole)]
        padded = reader.pad({"input_ids": whole}, padding_side="right", return_tensors="pt")
        together = [total(logits, place) for place, logits in enumerate(plain(**padded).logits)]
    assert alone == pytest.approx(ours, abs=1e-4)
    assert together == pytest.approx(ours, abs=1e-4)
