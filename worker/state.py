"""The state of a training between two steps, as one file: with it another process goes on as if there had been no end.

The weights that learn (with adapters those alone), AdamW's two means and its count for each, and every source of chance:
Python's, NumPy's, torch's (dropout would draw from it), and that of the GPU, of each process of the run. The order of the
groups follows from the seed and the number of steps done (`steps.py`), so that number is the place in the data, and the rate.

A file is `safetensors`, never a pickle: tensors `weights.NAME`, `exp_avg.NAME`, `exp_avg_sq.NAME` and `step.NAME`, whole however
many processes hold parts of them, and in its head what is no tensor. All processes save and restore together, and as many as
saved it go on to the same bits; any other number goes on to the same numbers, up to the rounding of sums in another order.
"""

import base64
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from app.errors import BadInput
from app.storage import room_for
from worker.policy import Model
from worker.processes import gathered, is_first, plain, put, rank, reshard

Json = dict[str, Any]
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
HEAD = "state"


def save(model: Model, optimizer: torch.optim.Optimizer, path: Path, head: Json) -> None:
    """Written by the first process; the others hand their parts over. ``head`` is given back by `restore`. Raises NoRoom."""
    tensors: dict[str, Tensor] = {}
    for name, weights in learning(model).items():
        tensors[f"weights.{name}"] = _whole(weights)
        for moment in MOMENTS:
            if moment in optimizer.state[weights]:
                tensors[f"{moment}.{name}"] = _whole(optimizer.state[weights][moment])
    chance = gathered(_chance(model.device))
    if is_first():
        path.parent.mkdir(parents=True, exist_ok=True)
        with room_for("the state of the run", sum(tensor.nbytes for tensor in tensors.values()), path.parent):
            save_file(tensors, path, {HEAD: json.dumps(head | {"chance": chance})})


@torch.no_grad()
def restore(model: Model, optimizer: torch.optim.Optimizer, path: Path) -> Json:
    """Put weights, moments and chance back in place; returns what was given to `save`. Raises BadInput for another model's."""
    with safe_open(path, framework="pt") as file:
        head: Json = json.loads(file.metadata()[HEAD])
        names, there = learning(model), set(file.keys())
        if {f"weights.{name}" for name in names} != {name for name in there if name.startswith("weights.")} or any(
            list(weights.shape) != file.get_slice(f"weights.{name}").get_shape() for name, weights in names.items()
        ):
            raise BadInput(
                "The state that was kept of this run belongs to a model of another shape, so it cannot go on from there: "
                "its base model has changed. Order it again.",
                field="base_model",
            )
        for name, weights in names.items():
            put(weights, file.get_tensor(f"weights.{name}"))
            for moment in MOMENTS:
                if f"{moment}.{name}" in there:
                    kept = file.get_tensor(f"{moment}.{name}")
                    home = torch.empty_like(weights) if moment != "step" else kept.to(weights.device)
                    put(home, kept)
                    optimizer.state[weights][moment] = home
    chances = head.pop("chance")  # one process more than there were goes on as the last of them, since all began alike
    _take_chance(chances[min(rank(), len(chances) - 1)], model.device)
    return head


@contextmanager
def undisturbed(model: Model) -> Iterator[None]:
    """Whatever is drawn in here, training goes on as if nothing had been, and each process with its own part of the weights."""
    before = _chance(model.device)
    try:
        yield
    finally:
        _take_chance(before, model.device)
        reshard(model.network)


def learning(model: Model) -> dict[str, torch.nn.Parameter]:
    """What training changes, by name."""
    reshard(model.network)
    return {name: weights for name, weights in model.network.named_parameters() if weights.requires_grad}


def _whole(tensor: Tensor) -> Tensor:
    return plain(tensor.detach()).cpu().contiguous()


def _chance(device: torch.device) -> Json:
    """Every source of chance of this process, fit for JSON."""
    numbers: Any = np.random.get_state(legacy=True)  # noqa: NPY002 -- the state that libraries share
    state: Json = {
        "python": random.getstate(),
        "numpy": [numbers[0], numbers[1].tolist(), *numbers[2:]],
        "torch": _text(torch.get_rng_state()),
    }
    return state | ({"cuda": _text(torch.cuda.get_rng_state(device))} if device.type == "cuda" else {})


def _take_chance(state: Json, device: torch.device) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002 -- as in `_chance`
    torch.set_rng_state(_bytes(state["torch"]))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(_bytes(state["cuda"]), device)


def _text(tensor: Tensor) -> str:
    return base64.b64encode(tensor.numpy().tobytes()).decode()


def _bytes(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
