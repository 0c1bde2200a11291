"""Reference log-probabilities kept in storage: what is read is what would be computed, or nothing is read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from app.storage import LocalDisk
from tests.small import small_model
from worker import references
from worker.batches import EncodedGroup
from worker.evaluate import with_reference
from worker.policy import Model
from worker.references import kept_reference, key_of
from worker.sharing import with_shared_prompts


@pytest.fixture
def asked(place: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many groups the model was asked about, each time it was."""
    counts: list[int] = []
    measure = references.measure

    def watched(model: Model, groups: Any, what: Any) -> Any:
        counts.append(len(groups))
        return measure(model, groups, what)

    monkeypatch.setattr(references, "measure", watched)
    return counts


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage of its own."""
    monkeypatch.setattr(references, "storage", lambda: LocalDisk(tmp_path))
    return tmp_path


def test_what_was_kept_is_what_is_computed_to_the_last_bit(
    tokenizer: Any, groups: list[EncodedGroup], asked: list[int], place: Path
):
    model = small_model("policy", tokenizer)
    online = with_reference(model, groups)
    assert kept_reference(model, groups) == kept_reference(model, groups) == online
    assert asked == [len(groups)]
    assert [file.name for file in (place / "references").iterdir()] == [f"{key_of(model, groups)}.json"]


def nudged(model: Model) -> Model:
    with torch.no_grad():
        model.network.get_input_embeddings().weight[-1, -1] += 1e-7
    return model


def calibrated(model: Model) -> Model:
    """The same weights, which compute something else."""
    model.network.config.rms_norm_eps *= 10
    return model


OTHERS: dict[str, Callable[[Model, list[EncodedGroup]], tuple[Model, list[EncodedGroup]]]] = {
    "another weight": lambda model, groups: (nudged(model), groups),
    "another token": lambda model, groups: (
        model,
        [replace(groups[0], prompt=(7, *groups[0].prompt[1:])), *groups[1:]],
    ),
    "another cut": lambda model, groups: (model, [replace(groups[0], prompt=groups[0].prompt[1:]), *groups[1:]]),
    "another border": lambda model, groups: (
        model,
        [
            replace(
                groups[0],
                prompt=groups[0].prompt + groups[0].responses[0][:1],
                responses=(groups[0].responses[0][1:], *groups[0].responses[1:]),
            ),
            *groups[1:],
        ],
    ),
    "another order": lambda model, groups: (model, groups[::-1]),
    "another configuration": lambda model, groups: (calibrated(model), groups),
    "another device": lambda model, groups: (replace(model, device=torch.device("cuda")), groups),
    "another precision": lambda model, groups: (replace(model, precision=torch.bfloat16), groups),
    "another layout": lambda model, groups: (with_shared_prompts(model, groups)[0], groups),
}


@pytest.mark.parametrize("what", OTHERS)
def test_whatever_changes_a_number_changes_the_key(what: str, tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model("policy", tokenizer)
    before = key_of(model, groups)
    assert key_of(small_model("policy", tokenizer), list(groups)) == before
    assert key_of(*OTHERS[what](model, list(groups))) != before


@pytest.mark.parametrize("library", [torch, transformers], ids=["torch", "transformers"])
def test_another_version_of_what_computes_changes_the_key(
    library: Any, tokenizer: Any, groups: list[EncodedGroup], monkeypatch: pytest.MonkeyPatch
):
    model = small_model("policy", tokenizer)
    before = key_of(model, groups)
    monkeypatch.setattr(library, "__version__", "0")
    assert key_of(model, groups) != before


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
def test_adapters_share_the_reference_of_their_base(
    tokenizer: Any, groups: list[EncodedGroup], asked: list[int], tmp_path: Path
):
    kept = kept_reference(small_model("policy", tokenizer), groups)
    adapted = small_model("policy", tokenizer, lora_rank=2)
    with torch.no_grad():
        for weights in adapted.trainable():
            weights.add_(0.1)
    assert kept_reference(adapted, groups) == kept
    assert len(asked) == 1
    assert key_of(small_model("policy", tokenizer, lora_rank=3), groups) == key_of(adapted, groups)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # as above
def test_the_reference_of_adapters_that_have_learnt_is_asked_of_the_base_under_them(
    tokenizer: Any, groups: list[EncodedGroup], asked: list[int], place: Path
):
    adapted = small_model("policy", tokenizer, lora_rank=2)
    with torch.no_grad():
        for weights in adapted.trainable():
            weights.add_(0.1)
    assert kept_reference(adapted, groups) == with_reference(small_model("policy", tokenizer), groups)
    assert asked == [len(groups)]
    assert with_reference(adapted, groups) != kept_reference(adapted, groups)


@pytest.mark.parametrize("harm", ["", "{}", "[1]", '{"key": "another", "sum": "", "logp": []}', "another number"])
def test_a_damaged_entry_is_computed_again(
    harm: str, tokenizer: Any, groups: list[EncodedGroup], asked: list[int], place: Path
):
    model = small_model("policy", tokenizer)
    first = kept_reference(model, groups)
    (file,) = (place / "references").iterdir()
    whole = file.read_text()
    file.write_text(whole.replace("[[-", "[[-1") if harm == "another number" else harm)
    assert kept_reference(model, groups) == first
    assert file.read_text() == whole
    assert len(asked) == 2
