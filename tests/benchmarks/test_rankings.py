"""The report on rankings: it reads people's files, holds every prompt out once, and compares two losses on the same rankings."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks import rankings
from tests.benchmarks.told import figures
from worker.agreement import Scored

TREE = {
    "tree": "t1",
    "history": [{"role": "prompter", "text": "Why?"}, {"role": "assistant", "text": "So."}],
    "replies": [{"text": "late", "rank": 1}, {"text": "early", "rank": 0}],
}
WRITERS = {
    "item_id": "p1",
    "instruction": "Write.",
    "responses": {"one": "first text", "two": "second text"},
    "rankings": [{"order": ["two", "one"]}, {"order": ["one", "two"]}],
}
RECORD = {"prompt": "Hello", "responses": [{"text": "hi", "tier": 1}, {"text": "so", "tier": 1}, {"text": "unjudged"}]}


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_it_reads_ranked_replies_rankings_by_writers_and_tiebreaks_own_records(tmp_path: Path):
    found = rankings.read_rankings(written(tmp_path / "all.jsonl.gz", [TREE, WRITERS, RECORD]))
    assert [(name, group.responses, group.tiers) for name, group in found[:3]] == [
        ("t1", ("late", "early"), (2, 1)),
        ("p1", ("first text", "second text"), (2, 1)),
        ("p1", ("first text", "second text"), (1, 2)),
    ]
    assert [message["role"] for message in found[0][1].prompt] == ["user", "assistant"]
    assert found[3][1].responses == ("hi", "so")


def test_everything_said_of_one_prompt_is_held_out_together_and_once(tmp_path: Path):
    rows: list[dict[str, object]] = [{**WRITERS, "item_id": f"p{number}"} for number in range(7)]
    ranked = rankings.read_rankings(written(tmp_path / "writers.jsonl", rows))
    held_out = []
    for train, test in rankings.parts(ranked, 3, seed=0):
        assert len(train) + len(test) == len(ranked)
        assert not {name for name, _ in train} & {name for name, _ in test}
        held_out += [name for name, _ in test]
    assert sorted(held_out) == sorted(name for name, _ in ranked)


@pytest.mark.parametrize(
    ("scores", "share"), [((3, 2, 1), 1), ((1, 2, 3), 0), ((2, 2, 1), 0.5), ((1, 1, 1), pytest.approx(1 / 3))]
)
def test_the_first_place_is_shared_by_equal_scores(scores: tuple[float, ...], share: float):
    assert rankings.top_1(Scored("", scores, (1, 2, 3))) == share


@pytest.mark.parametrize("model", ["words", "reward"])
def test_it_tells_the_difference_of_the_two_losses(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rankings, "VOCABULARY", 300)
    rows: list[dict[str, object]] = [
        {
            "prompt": f"Question {number}?",
            "responses": [
                {"text": f"{word} {number}", "tier": tier} for tier, word in enumerate(("yes", "hm", "no"), 1)
            ],
        }
        for number in range(12)
    ]
    path = written(tmp_path / "made.jsonl", rows)
    rankings.main([str(path), "--folds", "2", "--model", model])
    told = figures(capsys, "rankings")
    assert set(told) == {f"made_{name}_difference_high" for name in ("kendall_tau", "pair_accuracy", "top_1")}
    if model == "words":
        assert all(figure["value"] == 0 for figure in told.values()), "both losses order these without a mistake"
