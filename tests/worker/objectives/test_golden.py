"""Losses and gradients through our own code path are those that TRL computed from the same tokens and weights."""

import json

import pytest
import torch

from tests import parity
from tests.parity import CASES, GOLDEN, TOLERANCE, Answer, measured


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
@pytest.mark.parametrize("name", CASES)
def test_it_gives_what_trl_gave(name: str, packed: bool):
    golden: dict[str, Answer] = json.loads(GOLDEN.read_text())["cases"]
    found = measured(CASES[name], packed=packed)
    assert found["loss"] == pytest.approx(golden[name]["loss"], rel=TOLERANCE)
    assert set(found["gradients"]) == set(golden[name]["gradients"])
    for weight, (norm, product) in golden[name]["gradients"].items():
        assert found["gradients"][weight] == pytest.approx([norm, product], abs=TOLERANCE * max(norm, 1e-3))
    assert max(norm for norm, _ in golden[name]["gradients"].values()) > 1e-3


def test_no_two_cases_have_the_same_answer():
    answers = [answer["loss"] for answer in json.loads(GOLDEN.read_text())["cases"].values()]
    assert len({round(loss, 6) for loss in answers}) == len(answers) == len(CASES)


def test_the_version_stands_beside_the_numbers():
    assert json.loads(GOLDEN.read_text())["versions"]["trl"]
    assert torch.finfo(parity.network("policy", which=0).dtype).bits == 64
