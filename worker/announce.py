"""Say what this machine can train: ``python -m worker.announce NAME`` writes one row, and the launch form is drawn from it.

The row holds the device in words, each method with its settings (type, default, range, help) as far as the device goes, and the versions that a
result depends on. So there is one place for a method, the web application needs neither torch nor a list of methods,
and people are offered what a living trainer can do. ``presence.py`` starts this as a process of its own, because the
worker's main process must stay without torch, and keeps the row fresh.
"""

import importlib.metadata
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from app.db import work_unit
from app.models import Trainer
from app.settings import ROOT
from worker.abilities import devices_here, narrowed
from worker.methods import METHODS, describe

GIT_PATIENCE_S = 10
PACKAGES = ("tiebreak", "torch", "transformers", "tokenizers", "safetensors", "peft", "bitsandbytes")


def main(name: str) -> None:
    devices = devices_here()
    told: dict[str, Any] = {
        "device": device_in_words(),
        "methods": [narrowed(describe(method), devices) for method in METHODS],
        "versions": versions(),
        "last_seen_at": func.now(),
    }
    with work_unit() as session:
        session.execute(
            insert(Trainer).values(name=name, **told).on_conflict_do_update(index_elements=["name"], set_=told)
        )


def device_in_words() -> str:
    """What a run of this trainer would compute on, with its memory in GiB or its number of cores."""
    if not torch.cuda.is_available():
        return f"CPU, {torch.get_num_threads()} threads"
    device = torch.cuda.get_device_properties(0)
    others = f" × {torch.cuda.device_count()}" if torch.cuda.device_count() > 1 else ""
    return f"{device.name}, {device.total_memory / 2**30:.0f} GiB{others}"


def processor_in_words() -> str:
    """The kind of processor and how many threads compute: with both the same, a CPU gives the same numbers to the last bit."""
    kind = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        kind = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), kind)
    return f"{kind}, {torch.get_num_threads()} threads"


def versions() -> dict[str, str]:
    """Of Python, of what is installed of `PACKAGES`, and of this code: its commit where it runs from a checkout."""
    found = {"python": platform.python_version()} | commit()
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
            continue
    return found


def commit() -> dict[str, str]:
    """Nothing where there is no checkout, or no git to ask; what is changed in it is said too."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=GIT_PATIENCE_S)  # noqa: S603 -- ours
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": told.stdout.strip()}


if __name__ == "__main__":
    main(sys.argv[1])
