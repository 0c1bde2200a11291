"""The files of a dataset."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.datasets.files import ROWS_AT_A_TIME, sha256_of_all, write_files
from app.storage import Stored


def row(number: int, **told: Any) -> dict[str, Any]:
    return {
        "group": number,
        "judgment": number + 100,
        "prompt": [{"role": "user", "content": f"Was heißt {number} auf 漢字?"}],
        "responses": [f"good {number}", f"bad\n{number}", "unjudged"],
        "tiers": [1, 2, None],
        "outcome": "ranked",
        "margin": None,
        "weight": 1.0,
        "judge_kind": "human",
        "scores": [0.5, None, None],
        "models": ["m1", None, "m2"],
        "metadata": '{"a":1}',
        "prompt_hash": "ab" * 32,
        "judgments": 1,
        "agreement": 1.0,
        "annotator": "a-somebody",
        **told,
    }


def sums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_it_writes_the_same_rows_as_jsonl_and_parquet(tmp_path: Path):
    rows = [row(number) for number in range(5)]
    write_files(tmp_path, [("train" if number < 3 else "test", one) for number, one in enumerate(rows)])
    for side, own in (("train", rows[:3]), ("test", rows[3:])):
        assert [json.loads(line) for line in (tmp_path / f"{side}.jsonl").read_text().splitlines()] == own
        assert pq.read_table(tmp_path / f"{side}.parquet").to_pylist() == own


def test_it_counts_groups_tuples_and_outcomes(tmp_path: Path):
    rows = [
        row(1),
        row(2, tiers=[1, 2, 3]),
        row(3, outcome="tie", tiers=[1, 1, None]),
        row(4, outcome="all_bad", tiers=[None] * 3),
    ]
    counts = write_files(tmp_path, [("train", one) for one in rows])
    assert counts["train"].groups == 4
    assert counts["train"].tuples == 1 + 3
    assert counts["train"].outcomes == {"ranked": 2, "tie": 1, "all_bad": 1}
    assert counts["test"].groups == 0


def test_it_writes_the_same_bytes_each_time(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_files(tmp_path / name, [("train", row(number)) for number in range(50)])
    assert sums(tmp_path / "one") == sums(tmp_path / "two")


def test_it_writes_more_rows_than_it_holds_in_memory(tmp_path: Path):
    write_files(tmp_path, (("train", row(number)) for number in range(2 * ROWS_AT_A_TIME + 1)))
    table = pq.ParquetFile(tmp_path / "train.parquet")
    assert table.num_row_groups == 3
    assert [each["group"] for each in table.read().to_pylist()] == list(range(2 * ROWS_AT_A_TIME + 1))


def test_it_writes_readable_files_for_an_empty_side(tmp_path: Path):
    write_files(tmp_path, [("train", row(1))])
    assert (tmp_path / "test.jsonl").read_bytes() == b""
    assert pq.read_table(tmp_path / "test.parquet").num_rows == 0


def test_it_can_be_worked_out_with_sha256sum():
    files = [Stored("train.jsonl", 1, "bb"), Stored("test.jsonl", 1, "aa")]
    assert sha256_of_all(files) == hashlib.sha256(b"aa  test.jsonl\nbb  train.jsonl\n").hexdigest()


@pytest.mark.parametrize("changed", [0, 1])
def test_it_has_another_sum_when_a_file_changes(changed: int):
    files = [Stored("train.jsonl", 1, "bb"), Stored("test.jsonl", 1, "aa")]
    other = [Stored(file.path, 1, "cc") if place == changed else file for place, file in enumerate(files)]
    assert sha256_of_all(files) != sha256_of_all(other)
