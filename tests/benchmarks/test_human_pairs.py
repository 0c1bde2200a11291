"""The report on real pairs, on a few that are made up: both sides are asked about the same held-out pairs."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import human_pairs
from tests.benchmarks.told import figures


def row(number: int, split: str, source: str = "here") -> dict[str, Any]:
    return {
        "source": source,
        "group": f"{split} {number}",
        "prompt": f"Question {number}?",
        "chosen": f"Gladly: the answer is {number}.",
        "rejected": f"Go away with your {number}.",
        "split": split,
    }


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [row(number, "train") for number in range(20)] + [row(number, "test", "there") for number in range(6)]
    path = tmp_path / "pairs.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(each) + "\n" for each in rows)
    return path


def test_the_file_says_which_side_a_pair_is_on(pairs: Path):
    train, test = human_pairs.read_choices(pairs, seed=0)
    assert {choice.name.split()[0] for choice in train} == {"train"}
    assert {choice.group.source for choice in test} == {"there"}


def test_developing_never_looks_at_the_test_side(pairs: Path):
    train, test = human_pairs.read_choices(pairs, seed=0, develop=True)
    names = [{choice.name for choice in side} for side in (train, test)]
    assert [len(each) for each in names] == [18, 2]
    assert not names[0] & names[1]
    assert {choice.group.source for choice in (*train, *test)} == {"here"}


def test_it_tells_both_accuracies_and_the_interval_of_their_difference(pairs: Path, capsys: pytest.CaptureFixture[str]):
    human_pairs.main([str(pairs), "--vocabulary", "300", "--length", "32"])
    told = figures(capsys, "human_pairs")
    assert told["reward_model_accuracy"]["bar"] == 1, "words alone tell these pairs apart"
    assert 0 <= told["reward_model_accuracy"]["value"] <= 1
    assert told["difference_low"]["value"] <= told["reward_model_accuracy"]["value"] - 1


def test_too_few_prompts_are_refused_in_words(pairs: Path):
    with pytest.raises(SystemExit, match="too few prompts"):
        human_pairs.main([str(pairs), "--limit", "3"])
