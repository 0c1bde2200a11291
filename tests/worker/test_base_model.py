"""What a run starts from: folders and the hub, and what is noted of them. Nothing is fetched from outside."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from app.errors import BadInput
from app.settings import ROOT, get_settings
from tests.small import CPU, TEXTS, network
from tests.worker.hub_server import hub
from worker import starter
from worker.base_model import Order, folder_sum, start_model

COMMIT, OLDER = "c0" * 20, "0d" * 20


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder that base models may be loaded from."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("MODEL_FOLDERS", str(folder))
    get_settings.cache_clear()
    yield folder
    monkeypatch.undo()
    get_settings.cache_clear()


def saved(folder: Path) -> Path:
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=300)
    network("policy", tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def start(words: str | Path, scratch: Path) -> tuple[Any, str]:
    return start_model(Order(str(words), "policy", 0), (), scratch, CPU)


def test_a_folder_is_known_again_by_the_sum_of_its_files(models: Path, tmp_path: Path):
    folder = saved(models / "own")
    _, exactly = start(folder, tmp_path)
    assert exactly == f"{folder}, SHA-256 {folder_sum(folder)}"
    before = folder_sum(folder)
    (folder / "README.md").write_text("words")
    assert folder_sum(folder) == before, "what says nothing about the model"
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    assert folder_sum(folder) != before


def test_a_way_out_of_the_allowed_folder_is_none(models: Path, tmp_path: Path):
    outside = saved(tmp_path / "outside")
    (models / "link").symlink_to(outside)
    for words in (models / "link", models / ".." / "outside", outside):
        with pytest.raises(BadInput, match="none of the folders"):
            start(words, tmp_path)


def test_weights_that_are_pickles_are_not_loaded(models: Path, tmp_path: Path):
    folder = saved(models / "own")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(BadInput, match="safetensors") as refused:
        start(folder, tmp_path)
    assert refused.value.field == "base_model"


def test_code_that_a_model_brings_along_is_never_executed(models: Path, tmp_path: Path):
    folder = saved(models / "own")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w').close()\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own-thing", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="without extra code"):
        start(folder, tmp_path)
    assert not (tmp_path / "executed").exists()


LOAD = """
import sys, tempfile
from pathlib import Path
import torch
from app.errors import BadInput
from worker.base_model import Order, start_model
for words in sys.argv[1:]:
    try:
        print(start_model(Order(words, "policy", 0), (), Path(tempfile.mkdtemp()), torch.device("cpu"))[1])
    except BadInput as refused:
        print(f"{refused.field}: {refused.message}")
"""


def loaded(*words: str, **environment: str) -> list[str]:
    """What each of them is, or why it cannot be: in a process of its own, since the hub's address is read on import."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    command = [sys.executable, "-c", LOAD, *words]
    done = subprocess.run(command, env=kept | environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_model_of_the_hub_is_noted_by_its_commit_and_serves_without_the_hub_too(tmp_path: Path):
    folder, home = saved(tmp_path / "model"), str(tmp_path / "home")
    with hub(folder, "some/model", {"main": COMMIT, "v1": OLDER}) as address:
        first = loaded("some/model", "some/model@v1", f"some/model@{OLDER}", HF_ENDPOINT=address, HF_HOME=home)
    again = loaded("some/model", "some/model@v1", HF_ENDPOINT=address, HF_HOME=home, HF_HUB_OFFLINE="1")
    assert first[:2] == again == [f"some/model, commit {COMMIT}", f"some/model@v1, commit {OLDER}"]
    assert first[2:] == [f"some/model@{OLDER}, commit {OLDER}"]


@pytest.mark.slow
def test_what_the_hub_does_not_have_is_refused_in_words(tmp_path: Path):
    folder = saved(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with hub(folder, "some/model", {"main": COMMIT}) as address:
        told = loaded("some/other", "some/model@v9", "some/model", HF_ENDPOINT=address, HF_HOME=str(tmp_path / "home"))
    for words, why in zip(told, ("does not give “some/other”", "“some/model” at v9", "safetensors"), strict=True):
        assert words.startswith("base_model: ")
        assert why in words
