"""A run's log, for programs."""

import re
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from app import db
from app.models import RunLog, RunWatch, User
from app.runs import log
from tests.trained import make_run

URL = "/api/v1/runs/1/log"
END = "loading the base model\nstep 1: loss 0.69\nstep 2: loss 0.61 ≈"


@pytest.fixture
def running(ada: User) -> None:
    with db.work_unit() as session:
        run = make_run(session, state="running")
        session.add(RunWatch(run_id=run.id, log=END, usage={}, told_at=datetime.now(UTC)))


def test_it_is_read_as_text_whole_or_its_last_lines(ada_api: TestClient, running: None):
    whole = ada_api.get(URL)
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.text.endswith("step 2: loss 0.61 ≈")
    assert ada_api.get(URL, params={"tail": 2}).text == "step 1: loss 0.69\nstep 2: loss 0.61 ≈"
    assert ada_api.get(URL, headers={"Range": "bytes=0-6"}).text == "loading"
    assert ada_api.get(URL, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert ada_api.get(URL, params={"tail": 0}).status_code == 422


def test_all_attempts_are_read_and_where_rows_keep_no_more_the_end(
    ada_api: TestClient, running: None, monkeypatch: pytest.MonkeyPatch
):
    with db.work_unit() as session:
        pieces = ((1, 0, 1, "step 0\n"), (2, 0, 2, "loading\nst"), (2, 10, 2, "ep 1: "))
        for fence, place, attempt, words in pieces:
            session.add(RunLog(run_id=1, fence=fence, place=place, attempt=attempt, owner="train@a", words=words))
    whole = re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "", ada_api.get(URL).text)
    assert whole == "== attempt 1 on train@a ==\nstep 0\n== attempt 2 on train@a ==\nloading\nstep 1: \n"
    assert ada_api.get(URL, params={"tail": 4}).text.startswith("step 0\n== attempt 2")
    assert ada_api.get(URL, params={"tail": 1}).text == "step 2: loss 0.61 ≈"
    monkeypatch.setattr(log, "LONGEST_LOG", 20)
    assert ada_api.get(URL).text.endswith("What follows is the end of it ==\n" + END)


def test_a_run_that_has_not_begun_has_said_nothing(ada_api: TestClient):
    with db.work_unit() as session:
        make_run(session)
    assert (ada_api.get(URL).status_code, ada_api.get(URL).content) == (200, b"")
    assert ada_api.get("/api/v1/runs/2/log").status_code == 404
