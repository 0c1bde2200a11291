"""What a machine has and what a run takes of it, seen from outside by a process without torch: memory, processors, GPUs.

GPUs are asked through `nvidia-smi`, which comes with their driver; where there is none, there is nothing to tell. What it says of
one process is not to be had from within a container, so a run is told what its whole GPUs hold: they are its own (`devices.py`).
All memory is in bytes, shares go from 0 to 1.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil

_ASKED = "index,uuid,name,memory.total,memory.free,utilization.gpu"
_PATIENCE_S = 5.0


def of_machine() -> dict[str, Any]:
    """What this machine has, and how much of it is free."""
    memory = psutil.virtual_memory()
    told: dict[str, Any] = {"memory": memory.total, "memory_free": memory.available, "cores": os.cpu_count()}
    told["load"] = round(psutil.getloadavg()[0], 2)
    if found := gpus():
        told["gpus"] = found
    return told


class ProcessUsage:
    """What a process takes with all that it has started. Processors are counted since the last time it was asked."""

    def __init__(self, pid: int, environment: Mapping[str, str]) -> None:
        self.pid = pid
        self.visible = environment.get("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES"))
        self.known: dict[int, psutil.Process] = {}
        self.most = 0

    def now(self) -> dict[str, Any]:
        """Nothing of a process that has gone; `memory_peak` stays the most that was seen."""
        memory = cpu = 0.0
        with suppress(psutil.Error):
            first = psutil.Process(self.pid)
            for process in [first, *first.children(recursive=True)]:
                known = self.known.setdefault(process.pid, process)
                with suppress(psutil.Error):
                    memory += known.memory_info().rss
                    cpu += known.cpu_percent() / 100
        self.most = max(self.most, int(memory))
        told: dict[str, Any] = {"memory": int(memory), "memory_peak": self.most, "processors": round(cpu, 2)}
        if found := gpus(self.visible):
            told["gpus"] = found
        return told


def gpus(visible: str | None = None) -> list[dict[str, Any]]:
    """All of the machine, or those that `CUDA_VISIBLE_DEVICES` names by number or by id. Empty where nobody can tell."""
    program = shutil.which("nvidia-smi")
    if program is None or visible == "":
        return []
    command = [program, f"--query-gpu={_ASKED}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True)  # noqa: S603 -- nothing of it comes from outside
    except (OSError, subprocess.SubprocessError):
        return []
    return read_gpus(answer.stdout, visible)


def read_gpus(lines: str, visible: str | None = None) -> list[dict[str, Any]]:
    """The lines of `nvidia-smi`; what a card does not tell is left out."""
    wanted = None if visible is None else {name.strip() for name in visible.split(",")}
    found = []
    for line in lines.splitlines():
        index, uuid, name, *figures = (part.strip() for part in line.split(","))
        if wanted is not None and not wanted & {index, uuid}:
            continue
        told: dict[str, Any] = {"name": name}
        for key, figure, unit in zip(
            ("memory", "memory_free", "utilisation"), figures, (2**20, 2**20, 0.01), strict=True
        ):
            with suppress(ValueError):
                told[key] = round(float(figure) * unit, 2) if unit < 1 else int(float(figure) * unit)
        found.append(told)
    return found
