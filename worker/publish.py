"""A trained model as a folder that plain `transformers` loads, into storage, and then its row.

The folder holds the weights in safetensors, config, tokenizer with its chat template, a model card made from
facts, and `manifest.json` with the SHA-256 of every other file. Its name in storage is the run's own, so an attempt that was
overtaken can spoil no other's files; the version is given in the transaction that ends the run.

LoRA adapters are merged, so that whoever downloads a checkpoint needs neither `peft` nor the base model. On request the adapter
itself comes too, as a PEFT folder named `adapter` that says which base it belongs to.
"""

import json
from pathlib import Path
from typing import Any

from app.models import Dataset, Run
from app.storage import FAILURES, Stored, room_for, sha256_of, store_file
from worker.card import card
from worker.leftovers import take_away
from worker.memory import weights_bytes
from worker.policy import Model, merged
from worker.processes import is_first, unshard_for_good
from worker.report import Fenced, Report

MANIFEST = "manifest.json"
ADAPTER = "adapter"


def publish(report: Report, run: Run, dataset: Dataset, model: Model, results: dict[str, Any], folder: Path) -> None:
    """Write the folder, store its files, then close the run with its checkpoint. Raises Fenced if it is ours no more; then, as when there
    is no room, nothing is left of it.

    Several processes bring their weights together, and the first publishes.
    """
    unshard_for_good(model.network)
    if not is_first():
        return
    folder.mkdir()
    with room_for("the checkpoint", weights_bytes(model), folder):
        if model.adapted is not None and run.facts["settings"]["adapter"] != "merged":
            save_adapter(model, folder / ADAPTER)
        merged(model).save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        words = card(run, dataset, results, kind=model.kind, n_parameters=model.n_parameters)
        (folder / "README.md").write_text(words, encoding="utf-8")
        write_manifest(folder)
    prefix = f"checkpoints/{run.checkpoint_name}/run-{run.id}-{report.fence}"
    try:
        files = [store_file(prefix, name, folder / name) for name in names(folder)]
        report.publish(run, model.kind, prefix, files, sha256_of(folder / MANIFEST), results)
    except (Fenced, *FAILURES):
        take_away(report, prefix)
        raise


def save_adapter(model: Model, folder: Path) -> None:
    """The adapter alone, before it is merged. Embeddings are the base's own, so none are saved with it."""
    model.adapted.save_pretrained(folder, save_embedding_layers=False)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def write_manifest(folder: Path) -> None:
    files = [Stored(name, (folder / name).stat().st_size, sha256_of(folder / name)).as_json() for name in names(folder)]
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")
