"""Where a run starts from: turns the words of its order into weights on this machine.

blank                    a new model for the dataset's texts, `starter.py`
name, name@v3            one of our checkpoints, the newest version unless named; copied out of storage, sums checked
/folder                  below one of MODEL_FOLDERS; known again by the SHA-256 of its files
org/name, …@revision     from the hub, fetched by `transformers` itself at the commit that the revision stands for now

Weights come from safetensors alone and no code of a model is ever executed (`policy.py`). What exactly it was is noted with the
run: a manifest's sum, a commit, a folder's sum.

Adapters remember what they belong to by the name and revision under which programs get it, a checkpoint of ours from our own hub
as `tiebreak/name`; `peft` finds the base by them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from sqlalchemy import select

from app.db import work_unit
from app.errors import BadInput
from app.models import Checkpoint, Dataset, Run
from app.models.checkpoint import HUB_OWNER
from app.run_states import STARTER
from app.settings import get_settings
from app.storage import Stored, fetch, sha256_of
from worker import four_bit, policy, starter
from worker.groups import Group
from worker.policy import Kind, Model

BLANK = "blank"
CONFIG = "config.json"
"""Every model has one, and it is small."""
LONGEST_VERSION = 10


@dataclass(frozen=True, slots=True)
class Order:
    """What to start from and how to hold it. ``words`` are those of the order; ``bounds`` the projects that it reaches, if it has any."""

    words: str
    kind: Kind
    lora_rank: int
    base_weights: str = four_bit.FULL
    bounds: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """Where the weights lie, what exactly they are, and by which name and revision programs get them."""

    source: Path | str
    exactly: str
    name: str
    revision: str | None = None


def start_model(order: Order, groups: Sequence[Group], folder: Path, device: torch.device) -> tuple[Model, str]:
    """The model before its first step, and what exactly it is. ``folder`` takes the files that must be fetched."""
    if order.base_weights == four_bit.FOUR_BIT:
        four_bit.refuse_what_cannot_be(order.lora_rank)
    if order.words == BLANK:
        _refuse_on_blank(order)
        network, tokenizer = starter.blank(groups)
        model = policy.prepare(order.kind, network, tokenizer, lora_rank=0, device=device)
        return model, "blank: new weights and a tokenizer learnt from this dataset"
    base = _find(order, folder)
    model = policy.load(
        order.kind, base.source, lora_rank=order.lora_rank, device=device, base_weights=order.base_weights
    )
    model.adapters_belong_to(base.name, base.revision)
    return model, base.exactly


def _find(order: Order, folder: Path) -> Base:
    words = order.words
    if words.startswith(("/", ".", "~")):
        allowed = allowed_folder(words)
        return Base(allowed, f"{words}, SHA-256 {folder_sum(allowed)}", str(allowed))
    if "/" in words:
        refuse_folder(words)
        name, _, revision = words.partition("@")
        commit = hub_commit(name, revision or None)
        return Base(f"{name}@{commit}", f"{words}, commit {commit}", name, commit)
    checkpoint = find_checkpoint(words, order.bounds)
    if checkpoint.kind == "reward" and order.kind == "policy":
        raise BadInput(f"“{words}” is a reward model, which writes no text; choose a policy.", field="base_model")
    hub_name, version = f"{HUB_OWNER}/{checkpoint.name}", f"v{checkpoint.version}"
    return Base(copy_checkpoint(checkpoint, folder), checkpoint.exactly, hub_name, version)


def pinned(words: str, bounds: Sequence[int] | None = None) -> str:
    """Words for the same base whatever is published before they are read again: names get their version or commit.

    ``bounds`` are the projects that the order reaches (`Run.project_ids`).
    """
    if words == BLANK or words.startswith(("/", ".", "~")):
        return words
    if "/" in words:
        refuse_folder(words)
        name, _, revision = words.partition("@")
        return f"{name}@{hub_commit(name, revision or None)}"
    checkpoint = find_checkpoint(words, bounds)
    return f"{checkpoint.name}@v{checkpoint.version}"


def _refuse_on_blank(order: Order) -> None:
    if order.kind == "reward":
        raise BadInput("A blank model can read nothing yet: train one with sft, then its rewards.", field="base_model")
    if order.base_weights != four_bit.FULL:
        raise BadInput("A blank model has weights that must learn: leave base_weights full.", field="base_weights")
    if order.lora_rank:
        raise BadInput("A blank model has weights that must learn: leave lora_rank at 0.", field="lora_rank")


def refuse_folder(words: str) -> None:
    """`transformers` takes a folder of that name below the working folder for the hub's model; we do not."""
    if Path(words.partition("@")[0]).exists():
        raise BadInput(
            f"“{words}” is a folder here as well as a hub name; give its whole path if the folder is meant.",
            field="base_model",
        )


def hub_commit(name: str, revision: str | None) -> str:
    """What a branch or a tag stands for now, or stood for when it was fetched if the hub cannot be reached. Raises BadInput."""
    try:
        return Path(hf_hub_download(name, CONFIG, revision=revision)).parent.name
    except (OSError, ValueError) as problem:
        first_line = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise BadInput(
            f"The hub does not give “{name}” at {revision or 'its newest revision'}: {first_line}", field="base_model"
        ) from problem


def folder_sum(folder: Path) -> str:
    """SHA-256 over the names and sums of the files that decide what a model says."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", ".json", ".jinja", ".model"})
    return hashlib.sha256("".join(f"{sha256_of(path)}  {path.name}\n" for path in files).encode()).hexdigest()


def find_checkpoint(words: str, bounds: Sequence[int] | None = None) -> Checkpoint:
    name, _, version = words.partition("@v")
    if version and not (version.isdecimal() and len(version) < LONGEST_VERSION):
        raise BadInput(f"“{words}” is no checkpoint: a version is a number, as in {name}@v2.", field="base_model")
    wanted = [Checkpoint.name == name, Checkpoint.deleted_at.is_(None)]
    wanted += [Checkpoint.version == int(version)] if version else []
    if bounds is not None and name != STARTER:  # which is everybody's
        theirs = select(Run.id).join(Dataset, Dataset.id == Run.dataset_id).where(Dataset.project_id.in_(bounds))
        wanted.append(Checkpoint.run_id.in_(theirs))
    with work_unit() as session:
        newest_first = select(Checkpoint).where(*wanted).order_by(Checkpoint.version.desc())
        checkpoint = session.scalars(newest_first.limit(1)).one_or_none()
    if checkpoint is None:
        how = "make it with `tiebreak starter`" if name == STARTER else "choose one from the list of checkpoints"
        raise BadInput(f"There is no checkpoint “{words}”; {how}.", field="base_model")
    return checkpoint


def copy_checkpoint(checkpoint: Checkpoint, folder: Path) -> Path:
    target = folder / "base"
    for file in checkpoint.files:
        stored = Stored(**file)
        fetch(checkpoint.prefix, stored, target / stored.path)
    return target


def allowed_folder(words: str) -> Path:
    folder = Path(words).resolve()
    if not any(folder.is_relative_to(allowed) for allowed in get_settings().allowed_model_folders):
        raise BadInput(f"{words} is below none of the folders that MODEL_FOLDERS allows.", field="base_model")
    if not folder.is_dir():
        raise BadInput(f"{words} is no folder on the trainer's machine.", field="base_model")
    return folder
