"""One run from its claim to its checkpoint, in this process: what it says, what it publishes, how it ends."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from sqlalchemy import Engine, select, text
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from app.db import work_unit
from app.models import Checkpoint, Dataset, Run, RunMetric, RunShare
from app.settings import get_settings
from app.storage import Stored, fetch, sha256_of, store_file
from samples.task import pair_records
from tests.trained import make_dataset, make_run
from worker import exits, train
from worker.report import Report
from worker.sharing import SHARED
from worker.steps import Step, train_steps

Json = dict[str, Any]
SMALL = {"max_steps": 3, "groups_per_step": 8, "seed": 1}


def row(number: int, record: Json) -> Json:
    """As a dataset's files have it."""
    return {
        "group": number,
        "judgment": number,
        "prompt": [{"role": "user", "content": record["prompt"]}],
        "responses": [each["text"] for each in record["responses"]],
        "tiers": [each["tier"] for each in record["responses"]],
        "outcome": "ranked",
        "margin": None,
        "weight": 1.0,
        "judge_kind": "rule",
        "models": [each["model"] for each in record["responses"]],
        "metadata": json.dumps(record["metadata"]),
        "prompt_hash": f"{number:064x}",
    }


ROWS = [row(number, record) for number, record in enumerate(pair_records(0, 40, judged=True))]


@pytest.fixture
def claimed(database: object, tmp_path: Path) -> Iterator[Any]:
    """Makes a run that a supervisor has claimed with fence 1, of a dataset with 30 groups to train on and 10 to test."""

    def make(method: str = "sft", base_model: str = "blank", rows: list[Json] = ROWS, **told: Any) -> int:
        with work_unit() as session:
            dataset = make_dataset(session, "pairs")
            for side, part in (("train", rows[:30]), ("test", rows[30:])):
                (tmp_path / side).write_text("".join(json.dumps(each) + "\n" for each in part))
                dataset.files = [*dataset.files, store_file(dataset.prefix, f"{side}.jsonl", tmp_path / side).as_json()]
            order = {"settings": SMALL, "checkpoint_name": f"pairs-{method}", "state": "running", "fence": 1}
            return make_run(session, dataset, method=method, base_model=base_model, **(order | told)).id

    yield make
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def trained(run_id: int, fence: int = 1) -> int:
    return train.main(["--run", str(run_id), "--fence", str(fence)])


def the_run(run_id: int) -> Run:
    with work_unit() as session:
        return session.get_one(Run, run_id)


def checkpoints() -> list[Checkpoint]:
    with work_unit() as session:
        return list(session.scalars(select(Checkpoint).order_by(Checkpoint.id)))


def copied(checkpoint: Checkpoint, folder: Path) -> Path:
    for file in checkpoint.files:
        fetch(checkpoint.prefix, Stored(**file), folder / file["path"])
    return folder


def test_it_publishes_what_it_trained_and_closes_the_run(claimed: Any, tmp_path: Path):
    run_id = claimed()
    assert trained(run_id) == exits.FINISHED
    run = the_run(run_id)
    assert (run.state, run.step, run.total_steps, run.error, run.lease_until) == ("finished", 3, 3, None, None)
    assert run.facts["truncation"]["responses_cut"] == 0
    assert run.facts["prompts"] == SHARED
    assert run.facts["settings"]["learning_rate"] > 0
    assert set(run.settings) == set(run.facts["settings"])
    assert run.settings == run.settings | SMALL
    assert run.facts["peak_memory_bytes"] > 50_000_000
    assert {"python", "torch", "transformers"} <= set(run.facts["versions"])
    (checkpoint,) = checkpoints()
    assert (checkpoint.name, checkpoint.version, checkpoint.kind, checkpoint.run_id) == (
        "pairs-sft",
        1,
        "policy",
        run_id,
    )
    assert checkpoint.metrics == run.results
    folder = copied(checkpoint, tmp_path / "copy")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {each["path"] for each in manifest["files"]} == {each["path"] for each in checkpoint.files} - {
        "manifest.json"
    }
    assert all(sha256_of(folder / each["path"]) == each["sha256"] for each in manifest["files"])
    assert sha256_of(folder / "manifest.json") == checkpoint.sha256
    assert "pairs v1" in (folder / "README.md").read_text()


def test_it_tells_every_step(claimed: Any):
    run_id = claimed()
    trained(run_id)
    with work_unit() as session:
        steps = session.scalars(select(RunMetric).order_by(RunMetric.step)).all()
    assert [each.step for each in steps] == [0, 1, 2]
    counts = {"truncated", "dropped"}
    assert set(steps[0].values) == {"loss", "entropy", "learning_rate", "gradient_norm", "tokens_per_second"} | counts


def test_shares_of_its_steps_are_told_and_forgotten_with_them(claimed: Any):
    run_id = claimed(settings=SMALL)
    report = Report(run_id, 1)

    def shares() -> list[tuple[int, int, float]]:
        with work_unit() as session:
            found = select(RunShare.first, RunShare.n, RunShare.total).where(RunShare.run_id == run_id)
            return [tuple(row) for row in session.execute(found.order_by(RunShare.first))]

    for number in range(40):
        report.step(number, 40, 0.0, {"loss": 0.5})
    assert shares() == [(0, 16, 8.0), (16, 16, 8.0)]
    report.go_on_from(20)
    assert shares() == [(0, 16, 8.0)]


def test_it_tells_at_every_step_what_did_not_fit(claimed: Any):
    """Of one epoch two prompts are too long: what follows them is truncated, or both groups are dropped."""
    long = [each | {"prompt": [{"role": "user", "content": "7" * 200}]} for each in ROWS[:2]]
    for too_long, truncated, dropped in (("trim", 2, 0), ("drop", 0, 2)):
        how = {"max_steps": 0, "groups_per_step": 8, "max_length": 100, "too_long": too_long}
        run_id = claimed(rows=[*long, *ROWS[2:]], settings=how)
        assert trained(run_id) == exits.FINISHED
        with work_unit() as session:
            steps = session.scalars(select(RunMetric).where(RunMetric.run_id == run_id)).all()
        assert sum(each.values["truncated"] for each in steps) == truncated
        assert {each.values["dropped"] for each in steps} == {dropped}
        told = the_run(run_id).facts["truncation"]
        assert (told["prompts_cut"], told["groups_dropped"]) == (truncated, dropped)


def test_it_starts_from_a_checkpoint_and_plain_transformers_find_the_reported_margin(claimed: Any, tmp_path: Path):
    trained(claimed(checkpoint_name="starter"))
    run_id = claimed("dpo", "starter", settings=SMALL | {"learning_rate": 0.001})
    assert trained(run_id) == exits.FINISHED
    start, end = (copied(each, tmp_path / each.name) for each in checkpoints())
    assert the_run(run_id).facts["started_from"] == f"starter v1, manifest {checkpoints()[0].sha256}"

    def logp(folder: Path, prompt: list[Json], text: str) -> float:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
        ids = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": text}], return_dict=False)
        with torch.no_grad():
            table = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([ids])).logits[0].log_softmax(-1)
        return sum(table[place - 1, ids[place]].item() for place in range(len(before), len(ids)))

    leads = []
    for each in ROWS[30:]:
        better, worse = (each["responses"][each["tiers"].index(tier)] for tier in (1, 2))
        ratios = [logp(end, each["prompt"], text) - logp(start, each["prompt"], text) for text in (better, worse)]
        leads.append(ratios[0] - ratios[1])
    after = the_run(run_id).results["after"]
    assert after["margin"] == pytest.approx(sum(leads) / len(leads), abs=1e-4)
    assert after["accuracy"] == sum(lead > 0 for lead in leads) / len(leads)
    assert after["margin"] != 0.0


@pytest.mark.parametrize("lora_rank", [0, 2])
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
def test_plain_transformers_find_the_reported_margin_of_a_reward_model_alone_and_in_a_batch(
    lora_rank: int, claimed: Any, tmp_path: Path
):
    trained(claimed(checkpoint_name="starter"))
    run_id = claimed("reward", "starter", settings=SMALL | {"lora_rank": lora_rank, "learning_rate": 0.01})
    assert trained(run_id) == exits.FINISHED
    assert the_run(run_id).results["before"]["accuracy"] == 0.5
    folder = copied(checkpoints()[-1], tmp_path / "reward")
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.config.num_labels == 1
    assert model.config.pad_token_id == tokenizer.pad_token_id != tokenizer.eos_token_id
    told = [
        [*each["prompt"], {"role": "assistant", "content": each["responses"][each["tiers"].index(tier)]}]
        for each in ROWS[30:]
        for tier in (1, 2)
    ]
    with torch.no_grad():
        whole = tokenizer.apply_chat_template(told, padding=True, return_tensors="pt", return_dict=True)
        together = model(**whole).logits[:, 0]
        alone = [
            model(tokenizer.apply_chat_template(one, return_tensors="pt", return_dict=True)["input_ids"])
            for one in told
        ]
    torch.testing.assert_close(torch.cat([each.logits[:, 0] for each in alone]), together, rtol=1e-5, atol=1e-5)
    margin = float((together[::2] - together[1::2]).mean())
    assert the_run(run_id).results["after"]["margin"] == pytest.approx(margin, abs=1e-5)
    assert abs(margin) > 1e-4


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
def test_an_adapter_comes_merged_and_on_request_apart_with_the_name_of_its_base(claimed: Any, tmp_path: Path):
    trained(claimed(checkpoint_name="starter"))
    how = {"lora_rank": 2, "learning_rate": 0.01, "adapter": "merged and apart", "activation_checkpointing": "on"}
    assert trained(claimed("dpo", "starter", settings=SMALL | how)) == exits.FINISHED
    base, end = (copied(each, tmp_path / each.name) for each in checkpoints())
    told = json.loads((end / "adapter" / "adapter_config.json").read_text())
    assert (told["base_model_name_or_path"], told["revision"]) == ("tiebreak/starter", "v1")
    plain = AutoModelForCausalLM.from_pretrained(base)
    ids = torch.arange(20)[None]
    merged, start = AutoModelForCausalLM.from_pretrained(end)(ids).logits, plain(ids).logits
    adapted = PeftModel.from_pretrained(plain, end / "adapter")(ids).logits
    torch.testing.assert_close(adapted, merged, rtol=1e-4, atol=1e-5)
    assert (merged - start).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # as above
def test_the_adapter_of_a_reward_model_brings_its_head(claimed: Any, tmp_path: Path):
    """The base is a policy and has none."""
    trained(claimed(checkpoint_name="starter"))
    how = {"lora_rank": 2, "learning_rate": 0.01, "adapter": "merged and apart"}
    assert trained(claimed("reward", "starter", settings=SMALL | how)) == exits.FINISHED
    base, end = (copied(each, tmp_path / each.name) for each in checkpoints())
    ids = torch.arange(20)[None]
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    adapted = PeftModel.from_pretrained(plain, end / "adapter")(ids).logits
    merged = AutoModelForSequenceClassification.from_pretrained(end)(ids).logits
    torch.testing.assert_close(adapted, merged, rtol=1e-4, atol=1e-5)
    assert merged.abs().max() > 1e-4


def test_versions_of_one_name_count_up(claimed: Any):
    for _ in range(2):
        trained(claimed(settings=SMALL | {"max_steps": 1}))
    assert [(each.name, each.version) for each in checkpoints()] == [("pairs-sft", 1), ("pairs-sft", 2)]
    assert len({each.prefix for each in checkpoints()}) == 2


def test_it_writes_nothing_with_a_fence_that_is_not_its_own(claimed: Any):
    run_id = claimed(fence=2)
    assert trained(run_id, fence=1) == exits.FENCED
    run = the_run(run_id)
    assert (run.state, run.stage, run.facts) == ("running", "", {})


def interrupted(monkeypatch: pytest.MonkeyPatch, what: Any, number: int = 1) -> None:
    """Something happens outside while a step is done, counted from 0."""

    def steps(*told: Any) -> Iterator[Step]:
        for step in train_steps(*told):
            if step.number == number:
                what()
            yield step

    monkeypatch.setattr(train, "train_steps", steps)


def test_it_publishes_nothing_once_somebody_else_has_the_run(claimed: Any, monkeypatch: pytest.MonkeyPatch):
    run_id = claimed()

    def taken() -> None:
        with work_unit() as session:
            session.get_one(Run, run_id).fence = 2

    interrupted(monkeypatch, taken)
    assert trained(run_id) == exits.FENCED
    assert the_run(run_id).state == "running"
    assert checkpoints() == []


def test_it_ends_after_its_step_when_it_is_told_to(claimed: Any, monkeypatch: pytest.MonkeyPatch):
    run_id = claimed()
    interrupted(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert trained(run_id) == exits.STOPPED
    assert (the_run(run_id).state, the_run(run_id).error) == ("running", None)
    assert checkpoints() == []


def test_a_row_that_somebody_holds_for_longer_than_a_lease_is_no_fault_of_the_trainer(
    claimed: Any, database: Engine, monkeypatch: pytest.MonkeyPatch
):
    run_id = claimed()
    monkeypatch.setenv("TRAINER_LEASE_S", "3")
    get_settings.cache_clear()
    is_over = threading.Event()
    with ThreadPoolExecutor() as aside, database.connect() as holding:
        holding.execute(text("SELECT id FROM run FOR UPDATE"))
        limit = aside.submit(ends_what_waits, database, is_over)
        assert trained(run_id) == exits.AWAY
        is_over.set()
        assert limit.result() > 1
    assert (the_run(run_id).state, the_run(run_id).error) == ("running", None)
    monkeypatch.undo()
    get_settings.cache_clear()


def ends_what_waits(database: Engine, is_over: threading.Event) -> int:
    """As the limit of a statement does, but sooner; returns how often."""
    waiting = text("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    ended = 0
    with database.connect() as connection:
        while not is_over.wait(0.3):
            ended += connection.scalar(waiting)
            connection.rollback()
    return ended


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"settings": {"banana": 1}}, "no setting 'banana'"),
        ({"settings": SMALL | {"learning_rate": -1.0}}, "learning_rate must lie between"),
        ({"method": "alchemy"}, "Known methods: sft, reward, dpo"),
        ({"base_model": "starter"}, "make it with `tiebreak starter`"),
        ({"base_model": "nobody"}, "no checkpoint “nobody”"),
        ({"method": "reward"}, "A blank model can read nothing yet"),
        ({"settings": SMALL | {"lora_rank": 2}}, "leave lora_rank at 0"),
        ({"base_model": "/etc"}, "none of the folders"),
        ({"method": "dpo", "rows": [each | {"tiers": [1, 1]} for each in ROWS]}, "has what dpo needs: order"),
    ],
)
def test_it_says_what_the_order_lacks(claimed: Any, order: Json, words: str):
    run_id = claimed(**order)
    assert trained(run_id) == exits.FAILED
    run = the_run(run_id)
    assert run.state == "failed"
    assert words in run.error


def test_it_trains_on_nothing_but_the_bytes_that_were_frozen(claimed: Any):
    run_id = claimed()
    with work_unit() as session:
        prefix = session.get_one(Dataset, the_run(run_id).dataset_id).prefix
    file = Path(get_settings().storage) / prefix / "train.jsonl"
    file.write_text(file.read_text().replace("a", "b"))
    assert trained(run_id) == exits.FAILED
    assert "SHA-256" in the_run(run_id).error


def test_a_reward_model_is_no_start_for_a_policy(claimed: Any):
    trained(claimed(checkpoint_name="starter"))
    trained(claimed("reward", "starter", checkpoint_name="judge"))
    run_id = claimed("dpo", "judge")
    assert trained(run_id) == exits.FAILED
    assert "writes no text" in the_run(run_id).error


def test_it_starts_from_a_version_or_a_folder_when_told_so(
    claimed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(2):
        trained(claimed(checkpoint_name="starter", settings=SMALL | {"max_steps": 1}))
    run_id = claimed("dpo", "starter@v1")
    assert trained(run_id) == exits.FINISHED
    assert the_run(run_id).facts["started_from"].startswith("starter v1")
    copied(checkpoints()[0], tmp_path / "models" / "mine")
    monkeypatch.setenv("MODEL_FOLDERS", str(tmp_path / "models"))
    get_settings.cache_clear()
    run_id = claimed("sft", str(tmp_path / "models" / "mine"))
    assert trained(run_id) == exits.FINISHED
    monkeypatch.undo()
    get_settings.cache_clear()


def test_the_same_order_gives_the_same_model(claimed: Any):
    """Its ids are its row's, so the README differs; the weights must not."""
    for _ in range(2):
        trained(claimed())
    first, second = ({each["path"]: each["sha256"] for each in one.files} for one in checkpoints())
    same = {"model.safetensors", "tokenizer.json", "config.json"}
    assert {first[name] for name in same} == {second[name] for name in same}


def first_step(run_id: int) -> dict[str, float]:
    with work_unit() as session:
        return session.scalars(select(RunMetric).where(RunMetric.run_id == run_id, RunMetric.step == 0)).one().values


def test_a_policy_is_held_against_another_checkpoint_when_one_is_named(claimed: Any):
    trained(claimed(checkpoint_name="starter"))
    trained(claimed("sft", "starter", checkpoint_name="better", settings=SMALL | {"learning_rate": 0.01}))
    alone, other = (
        claimed("dpo", "better", settings=SMALL | {"reference": words}) for words in ("start", "starter@v1")
    )
    assert [trained(each) for each in (alone, other)] == [exits.FINISHED] * 2
    assert first_step(alone)["largest_log_ratio"] < 1e-4
    assert first_step(other)["largest_log_ratio"] > 0.01
    assert the_run(other).facts["reference"] == f"starter v1, manifest {checkpoints()[0].sha256}"
    assert "reference" not in the_run(alone).facts


def test_a_reward_checkpoint_gives_the_scores_when_one_is_named(claimed: Any):
    trained(claimed(checkpoint_name="starter"))
    trained(claimed("reward", "starter", checkpoint_name="judge"))
    how = SMALL | {"weights": "score", "scores": "judge", "max_length": 100, "too_long": "drop"}
    long = ROWS[0] | {"prompt": [{"role": "user", "content": "7" * 200}]}
    run_id = claimed("grpo_offline", "starter", rows=[long, *ROWS[1:]], settings=how)
    assert trained(run_id) == exits.FINISHED
    assert the_run(run_id).facts["truncation"]["groups_dropped"] == 1
    assert the_run(run_id).facts["scored_by"].startswith("judge v1")
    assert first_step(run_id)["gradient_norm"] > 0


def test_a_reward_checkpoint_goes_on_with_the_opinion_it_has(claimed: Any):
    trained(claimed(checkpoint_name="starter"))
    trained(claimed("reward", "starter", checkpoint_name="judge", settings=SMALL | {"learning_rate": 0.01}))
    run_id = claimed("reward", "judge")
    assert trained(run_id) == exits.FINISHED
    after_one, before_two = checkpoints()[1].metrics["after"], the_run(run_id).results["before"]
    assert after_one["margin"] != 0
    assert before_two["margin"] == pytest.approx(after_one["margin"], rel=1e-4)


def test_it_says_which_other_model_will_not_do(claimed: Any):
    trained(claimed(checkpoint_name="starter"))
    longer = [each | {"responses": [text * 3 + "!" for text in each["responses"]]} for each in ROWS]
    trained(claimed(checkpoint_name="stranger", rows=longer))
    for given, words in (
        ({"reference": "nobody"}, "reference: There is no checkpoint “nobody”"),
        ({"reference": "starter@vx"}, "a version is a number"),
        ({"reference": "blank"}, "has nothing to say"),
        ({"reference": "stranger"}, "another vocabulary"),
        ({"weights": "score", "scores": "starter"}, "every response the same score; name a reward model"),
        ({"weights": "score"}, "name a reward checkpoint in scores"),
    ):
        run_id = claimed("grpo_offline", "starter", settings=SMALL | given)
        assert trained(run_id) == exits.FAILED
        assert words in the_run(run_id).error
