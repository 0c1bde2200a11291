"""What a planned run would meet: looked at in this process, by real steps of small models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from app.db import work_unit
from app.models import Preflight
from app.settings import get_settings
from app.storage import store_file
from tests.small import TEXTS, network
from tests.trained import make_dataset, make_preflight
from tests.worker.test_train import ROWS, Json
from worker import estimate, preflight, starter
from worker.estimate import kept_states
from worker.methods import read_settings, sft

Ask = Callable[..., int]
SMALL = {"max_steps": 3, "groups_per_step": 8, "seed": 1}


@pytest.fixture
def claimed(database: object, tmp_path: Path) -> Ask:
    """Asks about a run on a dataset with 30 groups to train on and 10 to test; a worker has claimed it at its first attempt."""

    def make(method: str = "sft", base_model: str = "blank", rows: list[Json] = ROWS, **settings: Any) -> int:
        with work_unit() as session:
            dataset = make_dataset(session, "pairs")
            for side, part in (("train", rows[:30]), ("test", rows[30:])):
                (tmp_path / side).write_text("".join(json.dumps(each) + "\n" for each in part))
                dataset.files = [*dataset.files, store_file(dataset.prefix, f"{side}.jsonl", tmp_path / side).as_json()]
            order = {"method": method, "base_model": base_model, "settings": SMALL | settings}
            return make_preflight(session, dataset, state="running", attempt=1, **order).id

    return make


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps will do where nobody waits for their figures."""
    monkeypatch.setattr(estimate, "STEPS_S", 0.1)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tokenizer: Any) -> Any:
    """A small model in a folder that may be loaded from; the tokenizer is given what the story wants first."""
    monkeypatch.setenv("MODEL_FOLDERS", str(tmp_path))
    get_settings.cache_clear()

    def save(prepare: Callable[[Any], Any] = lambda tokenizer: tokenizer) -> str:
        network("policy", tokenizer).save_pretrained(tmp_path / "model")
        prepare(starter.train_tokenizer(TEXTS, vocabulary=300)).save_pretrained(tmp_path / "model")
        return str(tmp_path / "model")

    yield save
    monkeypatch.undo()
    get_settings.cache_clear()


def looked(preflight_id: int, attempt: int = 1) -> Preflight:
    preflight.main(["--id", str(preflight_id), "--attempt", str(attempt)])
    with work_unit() as session:
        return session.get_one(Preflight, preflight_id)


def test_it_tells_lengths_steps_time_and_memory(claimed: Ask):
    told = looked(claimed(epochs=2, max_steps=0, evaluate_every=2, sample_every=4))
    assert told.state == "answered", told.error
    answer = told.answer
    assert answer["groups"] == {"train": 30, "used": 30, "looked_at": 30, "test": 10}
    assert sum(answer["lengths"]["prompt"]["counts"]) == 30
    assert answer["truncation"]["prompts"] == 30
    assert answer["truncation"]["groups_dropped"] == 0
    assert answer["time"]["steps"] == 8
    assert answer["time"]["seconds"] == pytest.approx(sum(answer["time"]["parts"].values()))
    assert answer["time"]["parts"]["midway"] > 0
    assert answer["time"]["parts"]["keeping"] > 0
    assert answer["memory"]["fits"]
    assert answer["memory"]["bytes"] > sum(answer["memory"][part] for part in ("weights", "gradients", "optimizer"))
    assert answer["memory"]["weights"] == 4 * answer["parameters"]
    assert answer["learning"] == answer["parameters"]
    assert told.finished_at is not None


@pytest.mark.parametrize("method", ["dpo", "reward"])
def test_it_tries_the_method_that_was_asked_for(claimed: Ask, folder: Any, method: str):
    told = looked(claimed(method, folder(), max_length=64))
    assert told.state == "answered", told.error
    assert (told.answer["time"]["parts"]["reference"] > 0) == (method == "dpo")
    assert told.answer["time"]["parts"]["midway"] == 0, "it ends before the first look"


def test_it_counts_what_would_be_cut_and_dropped_as_a_run_counts_it(claimed: Ask, folder: Any):
    path = folder()
    cut = looked(claimed("sft", path, max_length=16)).answer["truncation"]
    assert cut["prompts_cut"] > 0
    assert cut["groups_dropped"] == 0
    lengths = looked(claimed("sft", path, max_steps=0)).answer["lengths"]["together"]
    dropped = looked(claimed("sft", path, max_length=lengths["median"], max_steps=0, too_long="drop")).answer
    assert 0 < dropped["truncation"]["groups_dropped"] < 30
    assert dropped["truncation"]["prompts"] + dropped["truncation"]["groups_dropped"] == 30
    assert dropped["lengths"]["together"] == lengths, "the histogram is of the texts as they are"


def test_it_looks_at_a_draw_of_a_large_dataset(claimed: Ask, folder: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preflight, "MOST_GROUPS", 10)
    answer = looked(claimed("sft", folder(), max_steps=0, epochs=1)).answer
    assert (answer["groups"]["looked_at"], answer["groups"]["used"]) == (10, 30)
    assert answer["time"]["steps"] == 4, "steps are those of all groups"


def test_it_says_that_there_is_not_enough_memory(claimed: Ask, folder: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(estimate, "available_bytes", lambda _: 1_000_000)
    answer = looked(claimed("sft", folder())).answer
    assert not answer["memory"]["fits"]
    assert answer["time"]["seconds"] is None
    assert answer["memory"]["bytes"] > 1_000_000


def without_order(rows: list[Json]) -> list[Json]:
    return [row | {"outcome": "all_bad", "tiers": [1] * len(row["responses"])} for row in rows]


def test_it_refuses_a_dataset_without_what_the_method_needs(claimed: Ask):
    told = looked(claimed("sft", rows=without_order(ROWS)))
    assert (told.state, told.error_field) == ("refused", "dataset")
    assert "has what sft needs" in (told.error or "")


def no_end(tokenizer: Any) -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, pad_token=starter.PAD)


def test_it_refuses_a_model_without_an_end_token(claimed: Ask, folder: Any):
    told = looked(claimed("sft", folder(no_end)))
    assert (told.state, told.error_field) == ("refused", "base_model")
    assert "no end token" in (told.error or "")


def test_it_gives_a_model_without_a_padding_token_one(claimed: Ask, folder: Any):
    def no_pad(tokenizer: Any) -> Any:
        tokenizer.pad_token = None
        return tokenizer

    assert looked(claimed("reward", folder(no_pad))).state == "answered"


def test_it_refuses_a_model_that_is_not_there(claimed: Ask, folder: Any):
    told = looked(claimed("sft", f"{folder()}/nothing"))
    assert (told.state, told.error_field) == ("refused", "base_model")
    assert "no folder on the trainer's machine" in (told.error or "")


def test_it_refuses_a_length_that_no_group_has(claimed: Ask, folder: Any):
    told = looked(claimed("sft", folder(), max_length=16, too_long="drop"))
    assert (told.state, told.error_field) == ("refused", "max_length")


def test_it_writes_nothing_once_somebody_else_has_it(claimed: Ask):
    told = looked(claimed(), attempt=2)
    assert (told.state, told.answer) == ("running", {})


@pytest.mark.parametrize(
    ("told", "n_kept"),
    [
        ({}, 1),
        ({"save_steps": 10}, 10),
        ({"save_steps": 30}, 4),
        ({"save_steps": 1000}, 1),
    ],
)
def test_it_counts_the_states_that_a_run_of_a_hundred_steps_keeps(told: dict[str, int], n_kept: int):
    assert kept_states(read_settings(sft, told), 100, 60.0) == n_kept


def test_a_run_of_hours_keeps_a_state_every_few_minutes():
    assert kept_states(read_settings(sft, {}), 100, 3600.0) == 3600 // get_settings().resume_every_s + 1
