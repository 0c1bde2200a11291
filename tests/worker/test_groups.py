"""A dataset's row as the trainer reads it: what people said, and how much it counts."""

import json
from pathlib import Path
from typing import Any

import torch

from tests.small import CPU
from worker.batches import collate
from worker.groups import Group, read_groups
from worker.tokens import encode

ROW: dict[str, Any] = {
    "prompt": [{"role": "user", "content": "What is quick?"}],
    "responses": ["the fox", "a dog", "hello"],
    "tiers": [2, None, 1],
    "outcome": "ranked",
    "margin": 3,
    "weight": 0.25,
    "scores": [1, None, 2.5],
    "models": ["birch", None, "oak"],
    "metadata": '{"rule":"exact","answer":"the fox","source":"forum"}',
}


def read(folder: Path, *rows: dict[str, Any]) -> list[Group]:
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n")
    return read_groups(folder / "train.jsonl")


def test_it_reads_all_that_a_row_says(tmp_path: Path):
    assert read(tmp_path, ROW) == [
        Group(
            prompt=({"role": "user", "content": "What is quick?"},),
            responses=("the fox", "a dog", "hello"),
            tiers=(2, None, 1),
            weight=0.25,
            answer="the fox",
            scores=(1.0, None, 2.5),
            strength=3.0,
            models=("birch", None, "oak"),
            source="forum",
        )
    ]


def test_what_a_row_does_not_say_is_as_usual(tmp_path: Path):
    bare = {name: ROW[name] for name in ("prompt", "responses", "tiers", "outcome")}
    told = [bare, bare | {"margin": None, "scores": [None] * 3, "metadata": ""}, bare | {"metadata": {"answer": "x"}}]
    for found in read(tmp_path, *told):
        assert (found.weight, found.strength, found.answer, found.source) == (1.0, 0.0, None, None)
        assert set(found.scores) <= {None}


def test_numbers_reach_the_batch_as_numbers_though_a_file_may_write_them_whole(tmp_path: Path, tokenizer: Any):
    encoded, _ = encode(read(tmp_path, ROW | {"scores": [1, 7, 2], "weight": 2}), tokenizer, 64)
    batch = collate(encoded, tokenizer.pad_token_id, CPU)
    assert batch.score_GK.tolist() == [[1.0, 2.0]]
    assert (batch.weight_G.tolist(), batch.strength_G.tolist()) == ([2.0], [3.0])
    assert {batch.score_GK.dtype, batch.weight_G.dtype, batch.strength_G.dtype} == {torch.float32}


def test_the_best_are_those_of_the_best_tier_unless_all_are_bad(tmp_path: Path):
    ranked, level, bad, unjudged = read(
        tmp_path,
        ROW,
        ROW | {"tiers": [1, None, 1]},
        ROW | {"outcome": "all_bad", "tiers": [1, 1, 1]},
        ROW | {"outcome": "all_bad", "tiers": [None] * 3},
    )
    assert [each.best() for each in (ranked, level, bad, unjudged)] == [("hello",), ("the fox", "hello"), (), ()]
    assert [each.judged() for each in (ranked, level, bad, unjudged)] == [True, True, True, False]
