"""What this machine's devices can do of what a method's settings ask for: a trainer announces no more, and takes no more.

    processes       a GPU each of those that a run of this trainer has, on all machines that train it; without a GPU a core each
    base_weights    4-bit on a GPU where bitsandbytes is installed
    precision       bfloat16 where the GPU has it, and on a CPU

Settings that were narrowed say so, so that a reader knows why a choice is missing, and that another trainer may have it.
"""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.settings import get_settings
from worker.four_bit import FOUR_BIT
from worker.launch import MOST_PROCESSES


@dataclass(frozen=True, slots=True)
class Devices:
    """`gpus` are those of one run; `cores` are the machine's."""

    gpus: int
    cores: int
    has_half: bool
    has_four_bit: bool

    def most_processes(self, machines: int) -> int:
        return min(MOST_PROCESSES, max(1, self.gpus or self.cores) * machines)


def devices_here() -> Devices:
    there = torch.cuda.is_available()
    gpus = torch.cuda.device_count() if there else 0
    return Devices(
        gpus=max(1, gpus // get_settings().train_slots) if gpus else 0,
        cores=os.cpu_count() or 1,
        has_half=not there or torch.cuda.is_bf16_supported(including_emulation=False),
        has_four_bit=there and importlib.util.find_spec("bitsandbytes") is not None,
    )


def narrowed(told: Mapping[str, Any], devices: Devices) -> dict[str, Any]:
    """The description of a method with its settings as far as these devices go."""
    return {**told, "settings": [_setting(each, devices) for each in told["settings"]]}


def _setting(told: Mapping[str, Any], devices: Devices) -> dict[str, Any]:
    missing: Sequence[str] = ()
    if told["name"] == "processes":
        most = devices.most_processes(get_settings().nodes)
        return {**told, "high": most, "narrowed": True} if most < told["high"] else dict(told)
    if told["name"] == "base_weights" and not devices.has_four_bit:
        missing = (FOUR_BIT,)
    if told["name"] == "precision" and not devices.has_half:
        missing = ("bfloat16",)
    if not missing:
        return dict(told)
    return {**told, "choices": [choice for choice in told["choices"] if choice not in missing], "narrowed": True}
