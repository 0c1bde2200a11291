"""What a run's page and its API say of the tracking servers that it is mirrored to."""

from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient

from app.db import work_unit
from app.models import RunMirror
from tests.trained import make_run


def test_they_say_how_far_each_server_has_the_run(ada_browser: TestClient, ada_api: TestClient):
    told = [
        ("mlflow:http://a:5000", "telling", None, 0),
        ("mlflow:http://b:5000", "lost", "refused", 1),
        ("mlflow:http://c:5000", "given up", "refused", 60),
        ("tensorboard:/boards", "told", None, 86_400),
        ("wandb:team", "telling", None, 7200),
    ]
    with work_unit() as session:
        run_id = make_run(session, state="running", fence=1, step=9).id
        for target, state, problem, seconds in told:
            at = datetime.now(UTC) - timedelta(seconds=seconds)
            session.add(RunMirror(run_id=run_id, target=target, state=state, step=7, problem=problem, told_at=at))
    page = ada_browser.get(f"/runs/{run_id}").text
    for words in (
        "has 7 steps, and is told the next ones as they come",
        "does not answer, has 7 steps, and is tried again: refused",
        f"was given up 1 minute ago: refused. To tell it the rest, on a trainer: `python -m worker.mirror {run_id} mlflow:http://c:5000`.",
        "has all of it",
        f"was given up 2 hours ago. To tell it the rest, on a trainer: `python -m worker.mirror {run_id} wandb:team`.",
    ):
        assert words in page
    mirrors = ada_api.get(f"/api/v1/runs/{run_id}").json()["mirrors"]
    assert [(one["target"], one["state"], one["step"], one["problem"]) for one in mirrors] == [
        (target, state, 7, problem) for target, state, problem, _ in told
    ]
    assert ada_api.get("/api/v1/runs").json()[0]["mirrors"] is None
