"""One side of `training.py`: a process that trains a round of steps whenever it is told to, and says what that took.

Both sides speak so: a line comes in, the steps of a round are done, one line of JSON goes out. Thus the rounds of two
processes alternate, and neither ever computes while the other one does. Memory is the most that was resident above the level
after loading; Linux counts it anew from where it is told to. On a GPU the clock counts, and the most that was allocated there. This
file is read by a Python without Tiebreak's packages.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import torch

ANSWERS = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
os.dup2(2, 1)


def order_of(folder: Path) -> dict[str, Any]:
    """What is trained, how, on which groups of token ids in which order."""
    order: dict[str, Any] = json.loads((folder / "order.json").read_text())
    return order


def resident(what: str) -> float:
    """MiB: `VmRSS` for now, `VmHWM` for the most since it was counted anew."""
    told = Path("/proc/self/status").read_text()
    found = re.search(rf"{what}:\s+(\d+) kB", told)
    assert found
    return int(found.group(1)) / 1024


class Side:
    """Keeps the round's clock and its losses. ``begin`` waits for the word."""

    def __init__(self, *, on_gpu: bool = False) -> None:
        self.on_gpu = on_gpu
        self.level = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        self.losses: list[Any] = []
        self.began = 0.0
        self.say(level=self.level)

    def say(self, **told: Any) -> None:
        print(json.dumps(told), file=ANSWERS, flush=True)

    def begin(self) -> None:
        if not sys.stdin.readline():
            os._exit(0)
        self.losses = []
        self.began = self.now()

    def end(self) -> None:
        seconds = self.now() - self.began
        memory = torch.cuda.max_memory_allocated() / 2**20 if self.on_gpu else resident("VmHWM") - self.level
        self.say(seconds=seconds, losses=[float(each) for each in self.losses], memory=memory)

    def now(self) -> float:
        """Seconds of CPU, or of the clock once the GPU has done what it was told."""
        if not self.on_gpu:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()
