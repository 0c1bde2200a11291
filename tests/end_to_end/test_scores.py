"""Imported scores and several judges: from a file of records to what a policy is pushed by.

Imported, frozen and ordered through the HTTP surface; trained in this process by the trainer's own program.
"""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from samples.task import pair_records
from worker import exits, lease, train
from worker.announce import main as announce

Json = dict[str, Any]
NEW = {"slug": "scored", "name": "Scored", "kind": "pair", "judgments_per_item": 3}
SMALL = {"epochs": 2, "groups_per_step": 8, "seed": 1, "learning_rate": 0.01}


@pytest.fixture
def project(ada_api: TestClient) -> Iterator[str]:
    assert ada_api.post("/api/v1/projects", json=NEW).is_success
    announce("test")
    yield "scored"
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def scored(number: int, record: Json, side: str) -> Json:
    """The scores say the opposite of the tiers, so that one sees which of the two is followed; every fourth record has none."""
    responses = [each | {"score": float(each["tier"])} if number % 4 else each for each in record["responses"]]
    return record | {"responses": responses, "metadata": record["metadata"] | {"split": side}}


def brought(api: TestClient, slug: str, records: list[Json]) -> None:
    answer = api.post(
        f"/api/v1/projects/{slug}/items",
        content="\n".join(map(json.dumps, records)),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.json()["errors"] == [], answer.text


def frozen(api: TestClient, slug: str) -> Json:
    answer = api.post(f"/api/v1/projects/{slug}/datasets", json={"name": slug, "split": {"by": "metadata.split"}})
    assert answer.status_code == 201, answer.text
    return answer.json()


def rows(api: TestClient, dataset: Json, side: str) -> list[Json]:
    lines = api.get(f"/api/v1/datasets/{dataset['id']}/files/{side}.jsonl").text.splitlines()
    return [json.loads(line) for line in lines]


def finished(api: TestClient, **order: Any) -> Json:
    run_id = api.post("/api/v1/runs", json=order).json()["id"]
    held = lease.claim(run_id, "test")
    assert held is not None
    status = train.main(["--run", str(run_id), "--fence", str(held.fence)])
    run = api.get(f"/api/v1/runs/{run_id}").json()
    assert status == exits.FINISHED, run["error"]
    return run


def test_a_policy_follows_the_scores_that_came_with_the_responses(ada_api: TestClient, project: str):
    records = list(pair_records(0, 44, judged=True))
    sides = ["train"] * 32 + ["test"] * 12
    brought(ada_api, project, [scored(at, *both) for at, both in enumerate(zip(records, sides, strict=True))])
    dataset = frozen(ada_api, project)
    told = rows(ada_api, dataset, "train")
    assert sum(None not in row["scores"] for row in told) == 24
    assert all(row["scores"] in ([None, None], [float(tier) for tier in row["tiers"]]) for row in told)

    few = {"dataset": dataset["id"], "settings": {"max_steps": 3, "seed": 1}}
    finished(ada_api, method="sft", base_model="blank", name="starter", **few)
    order = {"method": "grpo_offline", "dataset": dataset["id"], "base_model": "starter"}
    by_scores = finished(ada_api, settings=SMALL | {"weights": "score"}, **order)
    by_tiers = finished(ada_api, settings=SMALL | {"weights": "rank"}, **order)
    told_of = [run["facts"]["groups"] for run in (by_scores, by_tiers)]
    assert told_of == [{"train": 32, "used": 24}, {"train": 32, "used": 32}]
    assert (by_scores["total_steps"], by_tiers["total_steps"]) == (2 * 24 / 8, 2 * 32 / 8)
    last = {name: ada_api.get(f"/api/v1/runs/{run['id']}/metrics").json()[-1]["margin"] for name, run in
            (("scores", by_scores), ("tiers", by_tiers))}  # fmt: skip
    assert last["scores"] < 0 < last["tiers"]


def test_judges_of_one_item_share_what_it_counts_and_a_lone_judge_counts_as_much(ada_api: TestClient, project: str):
    """Two said one thing of the first item and one another, one person spoke of the second: the weight reaches the batch."""
    first, second, held_out = (record | {"metadata": {"split": "train"}} for record in pair_records(0, 3, judged=True))
    brought(ada_api, project, [first | {"annotator": name} for name in ("Ben", "Cleo", "Eve")])
    brought(ada_api, project, [second, held_out | {"metadata": {"split": "test"}}])
    told = rows(ada_api, frozen(ada_api, project), "train")
    assert sorted(row["weight"] for row in told) == [pytest.approx(1 / 3)] * 3 + [1.0]
