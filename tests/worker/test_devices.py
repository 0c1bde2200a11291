"""GPUs are dealt out to slots, so that two runs meet on one only where there are more slots than GPUs."""

import os
from pathlib import Path

import pytest

from worker.devices import all_gpus, dealt, of_slot

EIGHT = {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}


@pytest.mark.parametrize("slots", range(1, 12))
@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_every_gpu_is_used_and_none_shared_without_need(gpus: int, slots: int):
    names = [f"GPU-{number}" for number in range(gpus)]
    hands = [dealt(names, slot, slots) for slot in range(slots)]
    assert {name for hand in hands for name in hand} == set(names)
    sizes = [len(hand) for hand in hands]
    if slots <= gpus:
        assert sum(sizes) == gpus
        assert max(sizes) - min(sizes) <= 1
    else:
        assert set(sizes) == {1}


def test_a_slot_has_neighbours():
    assert [of_slot(slot, 2, EIGHT)["CUDA_VISIBLE_DEVICES"] for slot in (0, 1)] == ["0,1,2,3", "4,5,6,7"]
    assert [of_slot(slot, 8, EIGHT)["CUDA_VISIBLE_DEVICES"] for slot in (0, 7)] == ["0", "7"]


def test_one_slot_has_the_machine_as_it_is():
    assert of_slot(0, 1, EIGHT) == of_slot(0, 1, {}) == {}


def test_the_gpus_are_asked_of_the_driver_by_names_that_mean_the_same_to_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\n[ "$1" = --query-gpu=uuid ] && printf "GPU-aa\\nGPU-bb\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert all_gpus({}) == ["GPU-aa", "GPU-bb"]
    assert of_slot(1, 2, {}) == {"CUDA_VISIBLE_DEVICES": "GPU-bb"}
    assert all_gpus({"CUDA_VISIBLE_DEVICES": "1"}) == ["1"], "what the trainer is shown comes first"
    program.write_text("#!/bin/sh\necho no driver; exit 9\n")
    assert all_gpus({}) == []


@pytest.mark.parametrize("hidden", ["", "-1", " "])
def test_without_a_gpu_the_slots_share_the_cores(hidden: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert of_slot(1, 3, {"CUDA_VISIBLE_DEVICES": hidden}) == {"OMP_NUM_THREADS": "2"}
    assert of_slot(1, 9, {"CUDA_VISIBLE_DEVICES": hidden}) == {"OMP_NUM_THREADS": "1"}
    assert of_slot(1, 3, {"CUDA_VISIBLE_DEVICES": hidden, "OMP_NUM_THREADS": "5"}) == {}
