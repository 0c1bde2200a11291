"""Unmodified libraries with `HF_ENDPOINT`, each in a process of its own as they would be at somebody else's."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from app import db
from app.models import CheckpointAlias, Dataset, User
from app.settings import ROOT
from app.storage import Stored, sha256_of, store_file
from tests import trained
from tests.app.hub.conftest import Shelf, token_of
from tests.small import TEXTS, small_model
from worker import starter
from worker.policy import merged
from worker.publish import names, save_adapter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),  # peft asks for it
]

MODELS = """
import torch
from huggingface_hub import snapshot_download
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained("tiebreak/helpful", revision="v3")
chat = tokenizer.apply_chat_template([{"role": "user", "content": "quick?"}], tokenize=False)
assert "quick?" in chat and len(chat) > len("quick?"), chat
policy = AutoModelForCausalLM.from_pretrained("tiebreak/helpful", revision="production")
reward = AutoModelForSequenceClassification.from_pretrained("tiebreak/judge")
assert reward.config.num_labels == 1
ids = tokenizer(chat, return_tensors="pt").input_ids
base = AutoModelForCausalLM.from_pretrained("tiebreak/starter")
adapted = PeftModel.from_pretrained(base, "tiebreak/helpful", subfolder="adapter")
alone = snapshot_download("tiebreak/helpful", allow_patterns="adapter/*") + "/adapter"
with_its_base = AutoPeftModelForCausalLM.from_pretrained(alone)
with torch.no_grad():
    same = all(torch.allclose(each(ids).logits, policy(ids).logits, atol=1e-4) for each in (adapted, with_its_base))
    assert same and reward(ids).logits.shape == (1, 1)
print("loaded")
"""

ROWS = """
import sys
from datasets import load_dataset

name, n_train, n_test, commit = "tiebreak/pairs", int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
whole = load_dataset(name)
assert {side: len(rows) for side, rows in whole.items()} == {"train": n_train, "test": n_test}, whole
for revision in ("main", "v1", commit):
    assert len(load_dataset(name, split="train", revision=revision)) == n_train
streamed = list(load_dataset(name, split="train", streaming=True))
assert streamed == whole["train"].to_list()
assert list(load_dataset(name, "preference", split="test", streaming=True).features) == ["prompt", "chosen", "rejected"]
lines = load_dataset("json", data_files=f"hf://datasets/{name}@v1/test.jsonl", split="train")
assert len(lines) == n_test
for revision in ("v9", "9" * 40):
    try:
        load_dataset(name, revision=revision)
    except Exception as refused:
        assert revision in str(refused) and "doesn't exist" in str(refused), refused
    else:
        raise AssertionError(revision)
print("loaded")
"""


def run(script: str, *words: str, address: str, token: str, home: Path) -> str:
    """The script's output, or what its last words were."""
    asked = {"HF_ENDPOINT": address, "HF_TOKEN": token, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env={**kept, **asked},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def publish(name: str, kind: str, folder: Path, dataset: Dataset) -> None:
    with db.work_unit() as session:
        checkpoint = trained.make_checkpoint(
            session,
            trained.make_run(session, dataset, state="finished"),
            name=name,
            kind=kind,
            sha256=sha256_of(folder / "config.json"),
        )
        stored: list[Stored] = [store_file(checkpoint.prefix, path, folder / path) for path in names(folder)]
        checkpoint.files = [file.as_json() for file in stored]


@pytest.fixture
def models(shelf: Shelf, ada: User, tmp_path: Path) -> None:
    """A third version of `helpful`, a policy with its adapter; `starter`, what it began as; `judge`, a reward model."""
    tokenizer = starter.train_tokenizer(TEXTS, 300)
    policy = small_model("policy", tokenizer, lora_rank=2)
    for name, weights in policy.adapted.named_parameters():
        if "lora_B" in name:
            weights.data.normal_(std=0.1)
    policy.adapters_belong_to("tiebreak/starter", "v1")
    save_adapter(policy, tmp_path / "helpful" / "adapter")
    merged(policy).save_pretrained(tmp_path / "helpful")
    small_model("policy", tokenizer).network.save_pretrained(tmp_path / "starter")
    small_model("reward", tokenizer).network.save_pretrained(tmp_path / "judge")
    for name, kind in {"helpful": "policy", "starter": "policy", "judge": "reward"}.items():
        tokenizer.save_pretrained(tmp_path / name)
        publish(name, kind, tmp_path / name, shelf.dataset)
    with db.work_unit() as session:
        session.add(CheckpointAlias(name="helpful", alias="production", version=3, moved_by=ada.id))


def test_transformers_and_peft_load_what_was_published(shelf: Shelf, ada: User, models: None, tmp_path: Path):
    told = run(MODELS, address=shelf.address, token=token_of(ada), home=tmp_path)
    assert told == "loaded\n"


def test_datasets_loads_what_was_frozen(shelf: Shelf, ada: User, tmp_path: Path):
    counts = (str(shelf.dataset.counts[side]["groups"]) for side in ("train", "test"))
    words = (*counts, shelf.dataset.sha256[:40])
    assert run(ROWS, *words, address=shelf.address, token=token_of(ada), home=tmp_path) == "loaded\n"


def test_the_code_of_the_page_about_the_hub_runs(shelf: Shelf, ada: User, models: None, tmp_path: Path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "hub.md").read_text(), re.DOTALL)
    here = [
        block
        for block in blocks
        if all(find_spec(name) for name in re.findall(r"^(?:from|import) (\w+)", block, re.MULTILINE))
    ]
    assert len(blocks) == 7
    assert len(here) >= 5, "only what needs vLLM or TRL may be left out"
    run("\n".join(here), address=shelf.address, token=token_of(ada), home=tmp_path)
