"""How much memory this process has taken, could have, and a model's training holds: in bytes, of a GPU or of the machine."""

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch

if TYPE_CHECKING:  # whoever loads one asks here whether there was no room for it
    from worker.policy import Model

NUMBER_BYTES = 4
"""Gradients and the optimizer's state are float32, whatever layers compute in."""
ADAMW_NUMBERS = 2
"""A mean and a mean square for each weight that learns."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def peak_bytes(device: torch.device) -> int:
    """The most this process has held so far: on a GPU what torch took of it, else all of its resident memory."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def held_bytes(device: torch.device) -> int:
    """What it holds now."""
    if device.type == "cuda":
        return int(torch.cuda.memory_reserved(device))
    return int(psutil.Process().memory_info().rss)


def available_bytes(device: torch.device) -> int:
    """What this process may come to hold, with what it has already, beside whatever else is at work now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) + held_bytes(device)
    free = psutil.virtual_memory().available + held_bytes(device)
    return min([free, *(int(limit) for limit in _limits() if limit.isdecimal())])


def _limits() -> list[str]:
    """A container's own, where there is one."""
    return [path.read_text(encoding="ascii").strip() for path in _LIMITS if path.is_file()]


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether there was no memory for something; of a CPU's, torch says so in words alone."""
    told = isinstance(problem, RuntimeError) and "allocate memory" in str(problem)
    return told or isinstance(problem, torch.OutOfMemoryError | MemoryError)


def want_of_memory(device: torch.device) -> str:
    """What there was, in words, and what to change."""
    peak, available = (f"{n_bytes / 1e9:.1f} GB" for n_bytes in (peak_bytes(device), available_bytes(device)))
    return (
        f"There was not enough memory: the run held {peak} at most, and {available} are there for it. Fewer groups_per_step, a "
        "smaller max_length, activation_checkpointing, a lora_rank or a smaller model need less; a preflight tells how much."
    )


def weights_bytes(model: "Model") -> int:
    return sum(weights.numel() * weights.element_size() for weights in model.network.parameters())


def learning_numbers(model: "Model") -> int:
    """Weights that training changes."""
    return sum(weights.numel() for weights in model.trainable())
