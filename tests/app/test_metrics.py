"""What Prometheus scrapes."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from app import db, doorbell
from app.main import create_app
from app.models import Delivery, User, Webhook
from app.settings import ROOT
from tests.conftest import token_client
from tests.judged import judged_pairs
from tests.trained import make_run, make_trainer


def scraped(program: TestClient) -> dict[tuple[str, str], float]:
    """By name and the values of the labels, in the order of the labels' names."""
    answer = program.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    samples = [one for family in families for one in family.samples]
    return {(one.name, " ".join(one.labels[name] for name in sorted(one.labels))): one.value for one in samples}


def test_it_counts_requests_by_the_pattern_of_their_route(ada_api: TestClient):
    rows = [("GET /api/v1/projects/{slug} 404", 3), ("GET none 404", 2), ("PUT /api/v1/projects 405", 1)]
    before = scraped(ada_api)
    for path in ("a", "b", "c"):
        ada_api.get(f"/api/v1/projects/{path}")
    for path in ("/nowhere/1", "/nowhere/2"):
        ada_api.get(path)
    ada_api.put("/api/v1/projects")
    after = scraped(ada_api)
    for labels, n in rows:
        name = ("tiebreak_request_seconds_count", labels)
        assert after.get(name, 0) - before.get(name, 0) == n, labels
    assert not [labels for _, labels in after if "nowhere" in labels]


def test_a_static_file_and_a_page_have_their_rows(ada_browser: TestClient):
    ada_browser.get("/static/app.css")
    ada_browser.get("/projects")
    labels = {labels for name, labels in scraped(ada_browser) if name == "tiebreak_request_seconds_count"}
    assert {"GET /projects 200", "GET /static 200"} <= labels


def test_a_bug_is_counted_as_500(database: Engine, ada: User):
    app = create_app()

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError

    TestClient(app, raise_server_exceptions=False).get("/broken")
    found = scraped(token_client(ada, "read"))
    assert found["tiebreak_request_seconds_count", "GET /broken 500"] == 1


def test_it_tells_of_runs_trainers_deliveries_judgments_and_queues(ada: User, ada_api: TestClient, silence: None):
    with db.work_unit() as session:
        judged_pairs(session, 3)
        make_trainer(session, "here", seen_s_ago=2)
        make_trainer(session, "gone", seen_s_ago=5000)
        make_run(session, state="finished")
        make_run(session, state="finished")
        doorbell.ring(session, "runs.train", make_run(session).id)
        hook = Webhook(url="https://1.1.1.1/", events=[], secret=b"", owner_id=ada.id)
        session.add(hook)
        session.flush()
        session.add_all(Delivery(webhook_id=hook.id, event="webhook.test", data={}, state=s) for s in ("given_up",) * 2)
        late = datetime.now(UTC) - timedelta(seconds=90)
        session.add(Delivery(webhook_id=hook.id, event="webhook.test", data={}, due_at=late))
    found = scraped(ada_api)
    assert [found["tiebreak_deliveries", state] for state in ("waiting", "given_up", "delivered")] == [1, 2, 0]
    assert found["tiebreak_delivery_overdue_seconds", ""] >= 90
    assert found["tiebreak_runs", "finished"] == 2
    assert (found["tiebreak_runs", "queued"], found["tiebreak_runs", "failed"]) == (1, 0)
    assert found["tiebreak_run_waiting_seconds", ""] >= 0
    assert found["tiebreak_trainer_last_seen_seconds", "cpu, 2 cores here"] < 5000
    assert found["tiebreak_trainer_last_seen_seconds", "cpu, 2 cores gone"] >= 5000
    assert (found["tiebreak_judgments_total", ""], found["tiebreak_turns_open", ""]) == (3, 0)
    assert (found["tiebreak_messages_waiting", "train"], found["tiebreak_messages_waiting", "app"]) == (1, 0)


def test_a_broker_that_is_away_is_left_out(ada_api: TestClient, monkeypatch: pytest.MonkeyPatch):
    def away(queue: str) -> int:
        raise ConnectionRefusedError(queue)

    monkeypatch.setattr("app.metrics.messages_waiting", away)
    names = {name for name, _ in scraped(ada_api)}
    assert "tiebreak_runs" in names
    assert "tiebreak_messages_waiting" not in names


def test_it_is_not_for_strangers(nobody: TestClient, ben_api: TestClient, ada: User):
    callers = [nobody, ben_api, token_client(ada, "train")]
    assert [caller.get("/metrics").status_code for caller in callers] == [401, 403, 403]


def test_processes_of_one_server_count_together(tmp_path: Path):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"), "PYTHONPATH": str(ROOT)}
    count = "from app.metrics import requests; requests.labels('GET', '/one', '200').observe(0.01)"
    tell = (
        "from prometheus_client import CollectorRegistry, generate_latest\n"
        "from prometheus_client.multiprocess import MultiProcessCollector\n"
        "from app import metrics\n"
        "registry = CollectorRegistry()\nMultiProcessCollector(registry)\n"
        "print(generate_latest(registry).decode())"
    )
    for script in (count, count):
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    told = subprocess.run([sys.executable, "-c", tell], env=environment, check=True, capture_output=True, text=True)
    assert 'tiebreak_request_seconds_count{method="GET",route="/one",status="200"} 2.0' in told.stdout


@pytest.fixture(autouse=True)
def _of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
