"""What every method must do. A new file in the folder is tried the moment it is in `METHODS`."""

import json
import math
from dataclasses import fields, replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from app.errors import BadInput
from app.reading.markdown import markdown
from tests.small import CPU, GROUPS, group, small_model
from worker import methods
from worker.batches import EncodedGroup, collate
from worker.evaluate import with_reference
from worker.groups import Group
from worker.methods import METHODS, START, Method, describe, find_method, read_settings
from worker.policy import Model
from worker.tokens import encode

SHARED = ["max_steps", "epochs", "learning_rate", "groups_per_step", "max_length", "too_long", "seed", "lora_rank"]
SHARED += ["adapter", "precision", "activation_checkpointing", "base_weights"]
SHARED += ["save_steps", "evaluate_every", "sample_every", "best_by", "out_of_memory", "processes"]


def ready(method: Method, start: Model, groups: list[EncodedGroup]) -> list[EncodedGroup]:
    """The groups as a run of this method's defaults has them."""
    return with_reference(start, groups) if method.reference(read_settings(method, {})) == START else groups


pytestmark = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.NAME)


def test_its_description_survives_json_and_its_defaults_pass(method: Method):
    told = json.loads(json.dumps(describe(method)))
    assert told == describe(method)
    assert [each["name"] for each in told["settings"]][: len(SHARED)] == SHARED
    defaults = {each["name"]: each["default"] for each in told["settings"]}
    assert read_settings(method, defaults) == read_settings(method, {}) == method.Settings()
    for each in told["settings"]:
        assert each["help"].endswith(".")
        assert each["type"] in {"int", "float", "str"}
        assert each["type"] == "str" or each["low"] <= each["default"] <= each["high"]
        assert not each["choices"] or each["default"] in each["choices"]


def test_its_objective_can_be_drawn_and_its_presets_are_settings_of_it(method: Method):
    drawn = markdown(f"$${describe(method)['objective']}$$")
    assert "<math" in drawn
    assert "<code" not in drawn, "the formula is shown as its source"
    for preset in describe(method)["presets"]:
        assert read_settings(method, preset["settings"]) != read_settings(method, {})
        assert preset["help"].endswith(".")


def test_preference_methods_say_which_loss(method: Method):
    names = {field.name for field in fields(method.Settings)}
    assert ("loss" in names) == (method.NEEDS == "order")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"banana": 1}, "banana"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": 1.5}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"epochs": "2"}, "epochs"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"learning_rate": math.inf}, "learning_rate"),
        ({"learning_rate": False}, "learning_rate"),
        ({"seed": None}, "seed"),
        ({"max_length": 10**9}, "max_length"),
    ],
)
def test_it_names_the_setting_that_is_wrong(method: Method, given: dict[str, Any], field: str):
    with pytest.raises(BadInput, match=field) as refused:
        read_settings(method, given)
    assert refused.value.field == field


def test_a_whole_number_may_stand_for_a_number(method: Method):
    rate = read_settings(method, {"learning_rate": 1}).learning_rate
    assert (rate, type(rate)) == (1.0, float)


def test_its_loss_and_gradient_are_finite_and_its_share_is_positive(method: Method, tokenizer: Any):
    model = small_model(method.KIND, tokenizer)
    settings = read_settings(method, {})
    groups, _ = encode(method.examples(GROUPS, settings), tokenizer, 64)
    batch = collate(ready(method, model, groups), tokenizer.pad_token_id, CPU)
    share = method.share(batch, settings)
    loss = method.loss(model, batch, settings).loss / share
    gradients = torch.autograd.grad(loss, model.trainable(), allow_unused=True)
    assert share > 0
    assert loss.isfinite()
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_the_order_of_groups_and_padding_change_nothing(method: Method, tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model(method.KIND, tokenizer, seed=4)
    with_log_ratios = ready(method, small_model(method.KIND, tokenizer), groups)
    settings = read_settings(method, {})

    def loss(some: list[EncodedGroup]) -> float:
        batch = collate(some, tokenizer.pad_token_id, CPU)
        return (method.loss(model, batch, settings).loss / method.share(batch, settings)).item()

    alone = [collate([each], tokenizer.pad_token_id, CPU) for each in with_log_ratios]
    summed = sum(method.loss(model, batch, settings).loss.item() for batch in alone)
    assert loss(with_log_ratios[::-1]) == pytest.approx(loss(with_log_ratios), rel=1e-5)
    assert summed / sum(method.share(batch, settings).item() for batch in alone) == pytest.approx(
        loss(with_log_ratios), rel=1e-5
    )


def test_a_judgment_of_double_weight_counts_as_two(method: Method, tokenizer: Any):
    """From the dataset's row to the gradient."""
    heavy = [replace(GROUPS[0], weight=2.0), GROUPS[1]]
    model, settings = small_model(method.KIND, tokenizer, seed=4), read_settings(method, {})

    def told(some: list[Group]) -> tuple[float, list[torch.Tensor]]:
        groups, _ = encode(method.examples(some, settings), tokenizer, 64)
        batch = collate(ready(method, small_model(method.KIND, tokenizer), groups), tokenizer.pad_token_id, CPU)
        loss = method.loss(model, batch, settings).loss / method.share(batch, settings)
        return loss.item(), [
            each for each in torch.autograd.grad(loss, model.trainable(), allow_unused=True) if each is not None
        ]

    (once, slopes), (twice, slopes_twice) = told(heavy), told([GROUPS[0], *GROUPS[:2]])
    assert once == pytest.approx(twice, rel=1e-5)
    assert abs(once - told(GROUPS[:2])[0]) > 1e-3 * abs(once)
    for ours, theirs in zip(slopes, slopes_twice, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_it_takes_nothing_from_groups_that_say_nothing(method: Method):
    silent = [group("a", ["b", "c"], [None, None], outcome="all_bad"), group("a", ["b", "c"], [None, 1])]
    taken = method.examples([*silent, group("a", ["b", "c"], [1, 1], outcome="tie")], read_settings(method, {}))
    assert [each.responses for each in taken] == ([] if method.NEEDS == "order" else [("c",), ("b", "c")])


def test_what_is_announced_of_ties_is_what_it_takes(method: Method):
    """Under every choice of settings: a group of nothing but a tie, which imported scores tell apart."""
    tie = group("a", ["b", "c"], [1, 1], outcome="tie", scores=(0.0, 1.0))
    offered = {each.name: each.metadata["choices"] for each in fields(method.Settings)}
    names = [name for name in ("loss", "ties", "weights") if name in offered]
    for values in product(*(offered[name] for name in names)):
        chosen = dict(zip(names, values, strict=True))
        takes = bool(method.examples([tie], read_settings(method, chosen)))
        says = method.NEEDS == "best" or any(choice.items() <= chosen.items() for choice in method.TIES_TEACH)
        assert takes == says, chosen


def test_every_file_that_is_a_method_is_listed(method: Method):
    folder = Path(str(methods.__file__)).parent
    modules = [import_module(f"worker.methods.{file.stem}") for file in folder.glob("[!_]*.py")]
    assert {module.NAME for module in modules if hasattr(module, "NAME")} == {each.NAME for each in METHODS}
    assert find_method(method.NAME) is method
    with pytest.raises(BadInput, match="sft, reward, dpo, grpo_offline"):
        find_method("banana")
