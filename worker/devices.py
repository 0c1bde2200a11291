"""Which GPUs a run computes on: those of its slot.

A trainer has as many slots as it may train runs at once (TRAIN_SLOTS, 1 unless told otherwise), and deals its GPUs out to them. A
run's process is shown its slot's GPUs alone (CUDA_VISIBLE_DEVICES), counted from 0, so nothing beyond here knows of slots.

    8 GPUs, 1 slot      every run may use all eight, with the setting `processes`
    8 GPUs, 8 slots     each run has one
    8 GPUs, 2 slots     0 1 2 3 and 4 5 6 7: neighbours, which talk to each other the fastest
    1 GPU, 2 slots      both runs on the one, whose memory must do for both
    no GPU              the CPU, whose cores the slots share

So two runs meet on a GPU only where there are more slots than GPUs, and none ever waits for one: a slot is free or it is not.
A trainer that is shown some of the machine's GPUs by CUDA_VISIBLE_DEVICES deals out those; so several trainers share a machine.

Left out: GPUs that are cut into instances (MIG) and those of AMD, unless CUDA_VISIBLE_DEVICES names them. Nothing here loads torch.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

VISIBLE, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"
ASK = ("--query-gpu=uuid", "--format=csv,noheader")
PATIENCE_S = 60.0
"""A driver that was not in use takes seconds to answer."""


def of_slot(slot: int, slots: int, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a run in this slot, counted from 0, is told of the machine, besides the environment there is."""
    if slots == 1:
        return {}
    if gpus := all_gpus(environment):
        return {VISIBLE: ",".join(dealt(gpus, slot, slots))}
    return {THREADS: str(max(1, (os.cpu_count() or 1) // slots))} if THREADS not in environment else {}


def dealt(gpus: Sequence[str], slot: int, slots: int) -> Sequence[str]:
    """The GPUs of a slot: neighbours, as many as of any other but one; of more slots than GPUs several have the same."""
    if slots >= len(gpus):
        return [gpus[slot % len(gpus)]]
    return gpus[slot * len(gpus) // slots : (slot + 1) * len(gpus) // slots]


def all_gpus(environment: Mapping[str, str]) -> list[str]:
    """The GPUs that this trainer may use, by number or by name as the driver takes them; none without NVIDIA's driver."""
    if (shown := environment.get(VISIBLE)) is not None:
        return [name.strip() for name in shown.split(",") if name.strip() not in {"", "-1"}]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = subprocess.run([program, *ASK], check=False, capture_output=True, text=True, timeout=PATIENCE_S)  # noqa: S603 -- words of our own
    return [] if asked.returncode else [line.strip() for line in asked.stdout.splitlines() if line.strip()]
