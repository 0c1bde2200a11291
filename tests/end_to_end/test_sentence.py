"""The sentence, once through: import, judge, freeze, order, train in a child process, download, load, score.

Everything is real but small: the web application through its HTTP surface, the supervisor with its child process, plain
`transformers` on the downloaded folder.
"""

import hashlib
import json
from pathlib import Path
from random import Random

import pytest
import torch
from fastapi.testclient import TestClient
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from samples.task import judge, pair_records, study_records
from worker.announce import main as announce
from worker.supervise import Lifeline, supervise

Json = dict[str, object]


def bring(api: TestClient, slug: str, records: list[Json]) -> None:
    assert api.post("/api/v1/projects", json={"slug": slug, "name": slug, "kind": "pair"}).status_code == 201
    lines = "\n".join(json.dumps(record) for record in records)
    answer = api.post(f"/api/v1/projects/{slug}/items", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert answer.json()["imported"] == len(records), answer.text


def judge_all(api: TestClient, slug: str, answers: dict[str, str]) -> int:
    turn = api.post(f"/api/v1/projects/{slug}/next").json()
    for number in range(1000):
        if turn is None:
            return number
        texts = [response["text"] for response in turn["responses"]]
        tiers = judge(answers[turn["prompt"][-1]["content"]], texts, Random(0))
        ids = [response["id"] for response in turn["responses"]]
        turn = api.post(
            f"/api/v1/assignments/{turn['assignment']}/judgment?next=1",
            json={"outcome": "ranked", "tiers": dict(zip(ids, tiers, strict=True))},
            headers={"Idempotency-Key": f"key-{number}"},
        ).json()["next"]
    raise AssertionError("the queue does not end")


def freeze(api: TestClient, slug: str) -> Json:
    answer = api.post(f"/api/v1/projects/{slug}/datasets", json={"name": slug, "split": {"test": 0.2, "seed": 0}})
    assert answer.status_code == 201, answer.text
    return answer.json()


def run(api: TestClient, **order: object) -> Json:
    announce("test")
    ordered = api.post("/api/v1/runs", json=order)
    assert ordered.status_code == 202, ordered.text
    supervise(ordered.json()["id"], owner="test", lifeline=Lifeline())
    done = api.get(f"/api/v1/runs/{ordered.json()['id']}").json()
    assert done["state"] == "finished", done["error"]
    return done


def download(api: TestClient, run_id: object, folder: Path) -> Json:
    listed = api.get("/api/v1/checkpoints").json()
    checkpoint = next(each for each in listed if each["run"] == run_id)
    for file in api.get(f"/api/v1/checkpoints/{checkpoint['id']}").json()["files"]:
        body = api.get(f"/api/v1/checkpoints/{checkpoint['id']}/files/{file['path']}").content
        assert hashlib.sha256(body).hexdigest() == file["sha256"]
        (folder / file["path"]).write_bytes(body)
    return checkpoint


def score_alone(folder: Path, rows: list[Json]) -> list[tuple[float, ...]]:
    """Rewards by plain transformers, one response at a time."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    scores = []
    for row in rows:
        prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)
        of_group = []
        for text in row["responses"]:
            ids = [*prompt, *tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
            with torch.no_grad():
                of_group.append(float(model(input_ids=torch.tensor([ids])).logits[0, 0]))
        scores.append(tuple(of_group))
    return scores


def test_it_goes_from_prompts_to_models_that_others_can_load(ada_api: TestClient, tmp_path: Path):
    api = ada_api
    study = list(study_records(0, 60))
    fresh = list(pair_records(0, 40))
    bring(api, "study", study)
    bring(api, "fresh", fresh)
    n_judged = judge_all(api, "fresh", {each["prompt"]: each["metadata"]["answer"] for each in fresh})
    assert n_judged == 40
    dataset = freeze(api, "fresh")
    small = {"max_steps": 3, "groups_per_step": 8, "seed": 1}
    run(api, method="sft", dataset=freeze(api, "study")["id"], base_model="blank", settings=small, name="starter")
    reward = run(api, method="reward", dataset=dataset["id"], base_model="starter", settings=small)
    dpo = run(api, method="dpo", dataset=dataset["id"], base_model="starter", settings=small)
    steps = api.get(f"/api/v1/runs/{dpo['id']}/metrics").json()
    assert steps[0]["loss"] == pytest.approx(0.693147, abs=1e-4)
    assert [step["step"] for step in steps] == [0, 1, 2]

    reward_folder, dpo_folder = tmp_path / "reward", tmp_path / "dpo"
    reward_folder.mkdir()
    dpo_folder.mkdir()
    download(api, reward["id"], reward_folder)
    download(api, dpo["id"], dpo_folder)
    rows = [
        json.loads(line) for line in api.get(f"/api/v1/datasets/{dataset['id']}/files/test.jsonl").text.splitlines()
    ]
    scores = score_alone(reward_folder, rows)
    right = margin = 0.0
    for row, (first_score, second_score) in zip(rows, scores, strict=True):
        lead = first_score - second_score if row["tiers"][0] < row["tiers"][1] else second_score - first_score
        right, margin = right + (lead > 0) + 0.5 * (lead == 0), margin + lead
    assert right / len(rows) == pytest.approx(reward["results"]["after"]["accuracy"])
    assert margin / len(rows) == pytest.approx(reward["results"]["after"]["margin"], abs=1e-5)
    policy = AutoModelForCausalLM.from_pretrained(dpo_folder)
    tokenizer = AutoTokenizer.from_pretrained(dpo_folder)
    assert tokenizer.pad_token_id not in {None, tokenizer.eos_token_id}
    assert policy.config.vocab_size >= len(tokenizer)
