"""One side of `training.py`: a process that trains a round of steps whenever it is told to, and says what that took.

Both sides speak so: a line comes in, the steps of a round are done, one line of JSON goes out. Thus the rounds of two
processes alternate, and neither ever computes while the other one does. Memory is the most that was resident above the level
after loading; Linux counts it anew from where it is told to. This file is read by a Python without Tiebreak's packages.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

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

    def __init__(self) -> None:
        self.level = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        self.losses: list[float] = []
        self.began = 0.0
        self.say(level=self.level)

    def say(self, **told: Any) -> None:
        print(json.dumps(told), file=ANSWERS, flush=True)

    def begin(self) -> None:
        if not sys.stdin.readline():
            os._exit(0)
        self.losses = []
        self.began = time.process_time()

    def end(self) -> None:
        cpu_s = time.process_time() - self.began
        self.say(cpu_s=cpu_s, losses=self.losses, memory=resident("VmHWM") - self.level)
