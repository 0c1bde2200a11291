"""The files of a dataset as the programs read them that people already have."""

from pathlib import Path
from typing import Any

import pytest

from app.datasets.files import write_files
from app.datasets.order import SHAPES
from tests.app.datasets.test_files import row

TRAIN, TEST = 24, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs, with a ranking and a tie among them."""
    made = tmp_path_factory.mktemp("frozen")
    rows: list[Any] = [
        row(number, prompt_hash=f"{number:064x}", responses=[f"good {number}", f"bad {number}"], tiers=[1, 2])
        | {"scores": [None, None], "models": ["m1", "m2"]}
        for number in range(TRAIN + TEST)
    ]
    rows[3] |= {"responses": ["a", "b", "c"], "tiers": [1, 2, 3], "scores": [1.0, None, 0.5], "models": [None] * 3}
    rows[4] |= {"tiers": [1, 1], "outcome": "tie"}
    write_files(made, [("train" if number < TRAIN else "test", one) for number, one in enumerate(rows)], SHAPES)
    return made


@pytest.mark.parametrize("kind", ["parquet", "json"])
@pytest.mark.parametrize("is_streaming", [False, True])
def test_hugging_face_datasets_reads_every_shape(folder: Path, tmp_path: Path, kind: str, is_streaming: bool):
    datasets = pytest.importorskip("datasets", reason="comes with the tests' own packages")
    ending = {"parquet": "parquet", "json": "jsonl"}[kind]
    for shape, n_train in (
        (".", TRAIN),
        ("preference", TRAIN - 1 + 2),
        ("unpaired", 2 * (TRAIN - 1)),
        ("sft", TRAIN + 1),
    ):
        files = {side: str(folder / shape / f"{side}.{ending}") for side in ("train", "test")}
        found = datasets.load_dataset(kind, data_files=files, cache_dir=str(tmp_path), streaming=is_streaming)
        train = list(found["train"])
        assert len(train) == n_train
        assert train[0]["prompt"][0]["role"] == "user"
    assert train[0].keys() == {"prompt", "completion"}


def test_pandas_polars_and_duckdb_read_them(folder: Path):
    pandas = pytest.importorskip("pandas", reason="comes with the tests' own packages")
    polars = pytest.importorskip("polars", reason="comes with the tests' own packages")
    duckdb = pytest.importorskip("duckdb", reason="comes with the tests' own packages")
    for ending, read in (("parquet", "read_parquet"), ("jsonl", "read_json")):
        path = str(folder / f"train.{ending}")
        lines = {"lines": True} if read == "read_json" else {}
        assert list(getattr(pandas, read)(path, **lines)["group"]) == list(range(TRAIN))
        assert duckdb.sql(f"SELECT count(*), sum(len(responses)) FROM '{path}'").fetchall() == [(TRAIN, 2 * TRAIN + 1)]
    for found in (polars.read_parquet(folder / "train.parquet"), polars.read_ndjson(folder / "train.jsonl")):
        assert found.height == TRAIN
        assert found["prompt"][0][0]["role"] == "user"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of its trainers are theirs
@pytest.mark.parametrize("trainer", ["reward", "dpo", "sft"])
def test_trl_trains_on_them_as_they_are(folder: Path, tmp_path: Path, trainer: str):
    trl = pytest.importorskip("trl", reason="an extra of its own, for what our losses are compared with")
    from datasets import load_dataset  # noqa: PLC0415 -- only where TRL is

    from tests.small import TEXTS, network  # noqa: PLC0415 -- torch
    from worker.starter import train_tokenizer  # noqa: PLC0415 -- torch

    shape = "sft" if trainer == "sft" else "preference"
    data = load_dataset(
        "parquet", data_files=str(folder / shape / "train.parquet"), split="train", cache_dir=str(tmp_path)
    )
    tokenizer = train_tokenizer(TEXTS, 300)
    network("reward" if trainer == "reward" else "policy", tokenizer).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    make, settings = {
        "reward": (trl.RewardTrainer, trl.RewardConfig),
        "dpo": (trl.DPOTrainer, trl.DPOConfig),
        "sft": (trl.SFTTrainer, trl.SFTConfig),
    }[trainer]
    asked = settings(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        per_device_train_batch_size=2,
        report_to=[],
        use_cpu=True,
        bf16=False,
    )
    done = make(model=str(tmp_path / "model"), args=asked, train_dataset=data).train()
    assert done.global_step == 2
    assert done.training_loss > 0
