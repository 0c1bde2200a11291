"""Reference log-probabilities, computed once and kept in storage for every later run that needs the same ones.

The key is made of what determines the numbers, not of names for it: every token of every prompt and response (all that a
dataset, a tokenizer, a chat template and a truncation have to say), every weight of the reference, the precision, how rows
were laid out, and the versions of what computes. So a wrong entry cannot be read: whatever would change a number changes the
key. Adapters are left out of the weights, since a reference with adapters is its base.

An entry is a JSON file `references/KEY.json` whose numbers are written in full, so what is read is to the last bit what was
computed. A file that does not hold what its key promises is computed and written again.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import transformers

from app.errors import NotFound
from app.storage import storage
from worker.batches import EncodedGroup
from worker.evaluate import measure
from worker.policy import Model, adapters_off, logp
from worker.processes import gathered, is_first, plain

Values = list[tuple[float, ...]]


def kept_reference(model: Model, groups: Sequence[EncodedGroup]) -> list[EncodedGroup]:
    """The groups with log π_ref of every response, by the model without its adapters as it is now: before the first step."""
    key = key_of(model, groups)
    values = gathered(_read(key, groups))[0]  # of several processes all do as the first
    if values is None:
        with adapters_off(model):
            values = measure(model, groups, logp)
        if is_first():
            _write(key, values)
    return [replace(group, reference=each) for group, each in zip(groups, values, strict=True)]


def is_kept(model: Model, groups: Sequence[EncodedGroup]) -> bool:
    """Whether `kept_reference` would find them."""
    return _read(key_of(model, groups), groups) is not None


def key_of(model: Model, groups: Sequence[EncodedGroup]) -> str:
    """SHA-256 over everything that determines the reference log-probabilities of these groups."""
    digest = hashlib.sha256()
    config = {name: value for name, value in model.network.config.to_dict().items() if not name.startswith("_")}
    facts = {
        "config": config,
        "precision": str(model.precision),
        "packed": model.shares_prompts,
        "device": model.device.type,
        "versions": [torch.__version__, transformers.__version__],
    }
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, weights in sorted(model.network.state_dict().items()):
        if ".lora_" in name:
            continue
        whole = plain(weights.detach()).contiguous().cpu()
        digest.update(f"\n{name.replace('.base_layer', '')} {whole.dtype} {tuple(whole.shape)}\n".encode())
        digest.update(whole.flatten().view(torch.uint8).numpy().data)
    for group in groups:
        digest.update(json.dumps([group.prompt, group.responses]).encode())
    return digest.hexdigest()


def _name(key: str) -> str:
    return f"references/{key}.json"


def _read(key: str, groups: Sequence[EncodedGroup]) -> Values | None:
    try:
        told = json.loads(b"".join(storage().read(_name(key))))
        values = [tuple(float(value) for value in row) for row in told["logp"]]
    except (NotFound, ValueError, KeyError, TypeError):
        return None
    is_whole = told.get("key") == key and told.get("sum") == _sum(values)
    fits = [len(row) for row in values] == [len(group.responses) for group in groups]
    return values if is_whole and fits else None


def _write(key: str, values: Values) -> None:
    with tempfile.TemporaryDirectory(prefix="tiebreak-references-") as folder:
        file = Path(folder) / "logp.json"
        file.write_text(json.dumps({"key": key, "sum": _sum(values), "logp": values}), encoding="utf-8")
        storage().put(_name(key), file)


def _sum(values: Values) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
