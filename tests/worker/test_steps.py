"""The loop of training: the same step however it is cut up, and a start that is checked."""

import math
import time
from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from app.errors import BadInput
from tests.small import group, small_model
from worker import policy
from worker.batches import EncodedGroup
from worker.evaluate import policy_figures, reward_figures, with_reference
from worker.methods import METHODS, START, Method, dpo, read_settings, reward, sft
from worker.methods.settings import Training
from worker.policy import Model
from worker.sharing import SHARED, with_shared_prompts
from worker.steps import accumulate, count_steps, peak_rate, rate_at, train_steps, within_reach

EVERY_METHOD = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.NAME)


def ready(method: Method, tokenizer: Any, groups: list[EncodedGroup]) -> tuple[Model, list[EncodedGroup]]:
    model = small_model(method.KIND, tokenizer)
    return model, with_reference(model, groups) if method.reference(read_settings(method, {})) == START else groups


@EVERY_METHOD
@pytest.mark.parametrize("at_once", [1, 80, 150])
def test_a_step_is_the_same_however_it_is_cut_up(
    method: Method, at_once: int, tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    weighted = [replace(each, weight=0.5 + place) for place, each in enumerate(groups)]
    other = small_model(method.KIND, tokenizer, seed=5)  # away from the reference, where the gradient is not simple

    def measured() -> tuple[float, list[torch.Tensor]]:
        model, ready_groups = ready(method, tokenizer, weighted)
        model.network.load_state_dict(other.network.state_dict())
        model.network.double()
        loss = accumulate(model, method, read_settings(method, {}), ready_groups)["loss"]
        return loss, [weights.grad for weights in model.trainable()]

    whole, gradients = measured()
    monkeypatch.setattr(policy, "MOST_TOKENS", at_once)
    parts, gradients_of_parts = measured()
    assert parts == pytest.approx(whole, rel=1e-5)
    for ours, theirs in zip(gradients_of_parts, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_step_without_memory_is_done_again_in_smaller_parts_with_the_same_gradient(
    tokenizer: Any, groups: list[EncodedGroup]
):
    """More tokens at once than the largest group has ask for memory that no machine has."""
    most = max(len(group.responses) * group.longest() for group in groups)

    def greedy(network: Any, given: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].numel() > most:
            torch.empty(1 << 50)

    how = {"max_steps": 2, "groups_per_step": 5}
    calm = list(train_steps(small_model("policy", tokenizer), sft, read_settings(sft, how), groups))
    model = small_model("policy", tokenizer)
    model.network.base_model.register_forward_pre_hook(greedy, with_kwargs=True)
    short = list(train_steps(model, sft, read_settings(sft, how), groups))
    assert short[-1].model.halvings > 0
    for ours, theirs in zip(short, calm, strict=True):
        for name in ("loss", "gradient_norm"):
            assert ours.figures[name] == pytest.approx(theirs.figures[name], rel=1e-4)
    with pytest.raises(MemoryError):
        next(train_steps(model, sft, read_settings(sft, how | {"out_of_memory": "fail"}), groups))


def test_dpo_begins_at_ln_2_without_an_opinion(tokenizer: Any, groups: list[EncodedGroup]):
    model, ready_groups = ready(dpo, tokenizer, groups)
    first = next(train_steps(model, dpo, read_settings(dpo, {"groups_per_step": 5}), ready_groups))
    assert first.figures["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert first.figures["accuracy"] == 0.5
    assert abs(first.figures["margin"]) < 1e-5


def test_dpo_against_a_reference_of_another_computation_is_stopped(tokenizer: Any, groups: list[EncodedGroup]):
    model, ready_groups = ready(dpo, tokenizer, groups)
    noisy = [
        replace(each, reference=tuple(value + place for place, value in enumerate(each.reference)))
        for each in ready_groups
    ]
    with pytest.raises(BadInput, match="its own reference differ by"):
        next(train_steps(model, dpo, read_settings(dpo, {}), noisy))


@pytest.mark.parametrize("method", [reward, dpo], ids=["reward", "dpo"])
def test_a_few_groups_can_be_learnt_by_heart(method: Method, tokenizer: Any, groups: list[EncodedGroup]):
    model, ready_groups = ready(method, tokenizer, groups)
    settings = read_settings(method, {"max_steps": 60, "learning_rate": 0.005, "groups_per_step": 5})
    losses = [step.figures["loss"] for step in train_steps(model, method, settings, ready_groups)]
    figures = reward_figures(model, ready_groups) if method is reward else policy_figures(model, ready_groups)
    assert figures["accuracy"] == 1.0
    assert losses[-1] < losses[0] / 4


def test_sft_makes_the_best_responses_likely(tokenizer: Any, groups: list[EncodedGroup]):
    model, _ = ready(sft, tokenizer, groups)
    settings = read_settings(sft, {"max_steps": 60, "learning_rate": 0.01, "groups_per_step": 5})
    losses = [step.figures["loss"] for step in train_steps(model, sft, settings, groups)]
    n_tokens = sum(len(one) for each in groups for one in each.responses)
    n_weighted = sum(len(each.responses) for each in groups)
    figures = policy_figures(model, with_reference(model, groups))
    assert losses[-1] < losses[0] / 4
    assert -figures["best_logp"] < losses[0] * n_tokens / n_weighted / 4


def test_the_same_seed_gives_the_same_losses(tokenizer: Any, groups: list[EncodedGroup]):
    def losses(seed: int) -> list[float]:
        model, ready_groups = ready(reward, tokenizer, groups)
        settings = read_settings(reward, {"max_steps": 5, "groups_per_step": 2, "seed": seed})
        return [step.figures["loss"] for step in train_steps(model, reward, settings, ready_groups)]

    assert losses(1) == losses(1) != losses(2)


@pytest.mark.parametrize("method", [reward, dpo], ids=["reward", "dpo"])
def test_training_twice_gives_the_same_weights_to_the_last_bit(
    method: Method, tokenizer: Any, groups: list[EncodedGroup]
):
    def trained() -> list[torch.Tensor]:
        model, ready_groups = ready(method, tokenizer, groups)
        model, words = with_shared_prompts(model, groups)
        assert words == SHARED
        settings = read_settings(method, {"max_steps": 4, "groups_per_step": 3, "learning_rate": 0.01})
        list(train_steps(model, method, settings, ready_groups))
        return model.trainable()

    assert all(torch.equal(one, other) for one, other in zip(trained(), trained(), strict=True))


@EVERY_METHOD
def test_packed_steps_take_the_loss_where_padded_steps_take_it(
    method: Method, tokenizer: Any, groups: list[EncodedGroup]
):
    def losses(packs: bool) -> list[float]:
        model, ready_groups = ready(method, tokenizer, groups)
        model = with_shared_prompts(model, groups)[0] if packs else model
        settings = read_settings(method, {"max_steps": 4, "groups_per_step": 3, "learning_rate": 0.003})
        return [step.figures["loss"] for step in train_steps(model, method, settings, ready_groups)]

    assert losses(packs=True) == pytest.approx(losses(packs=False), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("method", [reward, dpo], ids=["reward", "dpo"])
def test_a_step_tells_what_chosen_and_rejected_score_by_counts_of_the_whole_step(
    method: Method, tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    _, ready_groups = ready(method, tokenizer, groups)
    other = small_model(method.KIND, tokenizer, seed=5)
    whole = accumulate(other, method, read_settings(method, {}), ready_groups)
    monkeypatch.setattr(policy, "MOST_TOKENS", 1)
    parts = accumulate(other, method, read_settings(method, {}), ready_groups)
    assert whole["chosen_score"] - whole["rejected_score"] == pytest.approx(whole["margin"], rel=1e-5)
    names = (
        "chosen_score",
        "rejected_score",
        "accuracy",
        "margin",
        *(("entropy", "best_log_ratio") if method is dpo else ()),
    )
    for name in names:
        assert parts[name] == pytest.approx(whole[name], rel=1e-3, abs=1e-4), name


def test_the_entropy_is_that_of_the_policy_at_the_tokens_of_responses(tokenizer: Any, groups: list[EncodedGroup]):
    model, _ = ready(sft, tokenizer, groups)
    found = []
    for each in groups:
        for response in each.responses:
            logits = model.network(torch.tensor([each.prompt + response])).logits[0, len(each.prompt) - 1 : -1]
            found += torch.distributions.Categorical(logits=logits).entropy().tolist()
    figures = accumulate(model, sft, read_settings(sft, {}), groups)
    assert figures["entropy"] == pytest.approx(sum(found) / len(found), rel=1e-4)


def test_the_rate_of_tokens_is_no_less_than_was_waited_for(tokenizer: Any, groups: list[EncodedGroup]):
    model, _ = ready(sft, tokenizer, groups)
    steps = train_steps(model, sft, read_settings(sft, {"max_steps": 1}), groups)
    began = time.monotonic()
    rate = next(steps).figures["tokens_per_second"]
    waited = time.monotonic() - began
    assert rate * waited >= model.batch(groups).n_tokens()


@EVERY_METHOD
def test_a_step_is_adamw_on_a_gradient_of_norm_one_at_most_by_the_rate_of_its_place(
    method: Method, tokenizer: Any, groups: list[EncodedGroup]
):
    """Written out again for three steps of all groups, whose gradients are larger than that."""
    given = {"max_steps": 3, "groups_per_step": len(groups), "learning_rate": 0.01}
    given |= {"beta": 5.0} if "beta" in {each.name for each in fields(method.Settings)} else {}
    settings = read_settings(method, given)
    (ours, ready_groups), (theirs, _) = (ready(method, tokenizer, groups) for _ in range(2))
    for model in (ours, theirs):
        model.network.double()  # AdamW makes much of gradients that are next to nothing
    norms = [step.figures["gradient_norm"] for step in train_steps(ours, method, settings, ready_groups)]
    optimizer = torch.optim.AdamW(theirs.trainable(), betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(3):
        batch = theirs.batch(ready_groups)
        (method.loss(theirs, batch, settings).loss / method.share(batch, settings)).backward()
        norm = torch.nn.utils.clip_grad_norm_(theirs.trainable(), 1.0)
        assert norms[step] == pytest.approx(norm.item(), rel=1e-5)
        optimizer.param_groups[0]["lr"] = 0.01 * rate_at(step, 3)
        optimizer.step()
        optimizer.zero_grad()
    assert max(norms) > 1.5
    for one, other in zip(ours.trainable(), theirs.trainable(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_training_that_comes_apart_is_stopped_in_words(tokenizer: Any, groups: list[EncodedGroup]):
    model, _ = ready(sft, tokenizer, groups)
    with torch.no_grad():
        model.network.get_input_embeddings().weight.fill_(math.nan)
    with pytest.raises(BadInput, match="smaller learning_rate"):
        next(train_steps(model, sft, read_settings(sft, {}), groups))


@pytest.mark.parametrize(("given", "steps"), [({}, 4), ({"epochs": 3}, 12), ({"max_steps": 7, "epochs": 3}, 7)])
def test_steps_come_from_epochs_unless_they_are_named(given: dict[str, int], steps: int):
    assert count_steps(100, Training(**given)) == steps


def test_a_short_run_prepares_no_more_groups_than_it_sees():
    some = [group(str(number), ["a", "b"], [1, 2]) for number in range(20)]
    settings = Training(max_steps=3, groups_per_step=4, seed=1)
    drawn = within_reach(some, settings)
    assert len({each.prompt[0]["content"] for each in drawn}) == len(drawn) == 12
    assert drawn == within_reach(some, settings) != within_reach(some, replace(settings, seed=2))
    assert within_reach(some, replace(settings, max_steps=5)) == some
    assert within_reach(some, Training()) == some


def test_the_rate_rises_then_falls():
    rates = [rate_at(step, 200) for step in range(200)]
    assert rates[0] == pytest.approx(1 / 20)
    assert rates[19] == max(rates) == 1.0
    assert rates == sorted(rates[:20]) + sorted(rates[20:], reverse=True)
    assert rates[-1] == 0.05
    assert [rate_at(0, 1), rate_at(0, 4), rate_at(3, 4)] == [1.0, 1.0, 0.05]


def test_a_larger_model_takes_smaller_steps_by_default(tokenizer: Any):
    model = small_model("policy", tokenizer)
    assert peak_rate(dpo, model, Training()) == dpo.LEARNING_RATE
    assert peak_rate(dpo, model, Training(lora_rank=8)) == 10 * dpo.LEARNING_RATE
    for rank in (0, 8):
        assert peak_rate(dpo, model, Training(learning_rate=0.25, lora_rank=rank)) == 0.25
    large = replace(model, network=torch.nn.Linear(10_000, 12_500, device="meta"))
    assert peak_rate(dpo, large, Training()) == pytest.approx(dpo.LEARNING_RATE / 25, rel=1e-3)
