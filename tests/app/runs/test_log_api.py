"""The end of a run's log, for programs."""

from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import RunWatch, User
from tests.trained import make_run

URL = "/api/v1/runs/1/log"


@pytest.fixture
def running(ada: User) -> None:
    with db.work_unit() as session:
        run = make_run(session, state="running")
        log = "loading the base model\nstep 1: loss 0.69\nstep 2: loss 0.61 ≈"
        session.add(RunWatch(run_id=run.id, log=log, usage={}, told_at=datetime.now(UTC)))


def test_it_is_read_as_text_whole_or_its_last_lines(ada_api: TestClient, running: None):
    whole = ada_api.get(URL)
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.text.endswith("step 2: loss 0.61 ≈")
    assert ada_api.get(URL, params={"tail": 2}).text == "step 1: loss 0.69\nstep 2: loss 0.61 ≈"
    assert ada_api.get(URL, headers={"Range": "bytes=0-6"}).text == "loading"
    assert ada_api.get(URL, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert ada_api.get(URL, params={"tail": 0}).status_code == 422


def test_a_run_that_has_not_begun_has_said_nothing(ada_api: TestClient):
    with db.work_unit() as session:
        make_run(session)
    assert (ada_api.get(URL).status_code, ada_api.get(URL).content) == (200, b"")
    assert ada_api.get("/api/v1/runs/2/log").status_code == 404
