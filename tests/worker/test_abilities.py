"""What a trainer announces of a method's settings: as far as its devices go."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.settings import get_settings
from worker.abilities import Devices, devices_here, narrowed
from worker.methods import describe, dpo, read_settings

OLD_GPU = Devices(gpus=1, cores=16, has_half=False, has_four_bit=False)
GPUS = Devices(gpus=4, cores=16, has_half=True, has_four_bit=True)
CORES = Devices(gpus=0, cores=2, has_half=True, has_four_bit=False)


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NODES", "2")
    monkeypatch.setenv("RDZV_ENDPOINT", "here:29400")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def settings(devices: Devices) -> dict[str, Any]:
    return {each["name"]: each for each in narrowed(describe(dpo), devices)["settings"]}


@pytest.mark.parametrize(("devices", "most"), [(OLD_GPU, 1), (GPUS, 4), (CORES, 2)])
def test_a_run_has_a_process_for_each_gpu_or_core(devices: Devices, most: int):
    assert settings(devices)["processes"]["high"] == most
    assert settings(devices)["processes"]["narrowed"]


def test_several_machines_have_as_many_each(two_nodes: None):
    assert settings(GPUS)["processes"]["high"] == 8


def test_what_a_device_has_not_is_no_choice():
    assert settings(OLD_GPU)["precision"]["choices"] == ["auto", "float32"]
    assert settings(OLD_GPU)["base_weights"]["choices"] == ["full"]
    assert settings(CORES)["precision"]["choices"] == ["auto", "float32", "bfloat16"]
    assert settings(GPUS)["base_weights"]["choices"] == ["full", "4-bit"]
    assert "narrowed" not in settings(GPUS)["base_weights"]


def test_nothing_else_is_changed_and_every_default_remains():
    whole = {each["name"]: each for each in describe(dpo)["settings"]}
    told = settings(devices_here())
    assert list(told) == list(whole)
    assert {name for name in told if told[name] != whole[name]} <= {"processes", "precision", "base_weights"}
    assert read_settings(dpo, {name: each["default"] for name, each in told.items()})
    assert all(not each["choices"] or each["default"] in each["choices"] for each in told.values())
