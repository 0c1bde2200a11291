"""Lines of the log, for people and for programs."""

import json
import logging
import subprocess
import sys

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app import logs
from app.settings import ROOT


@pytest.fixture
def record() -> logging.LogRecord:
    return logging.LogRecord("app.somewhere", logging.WARNING, __file__, 1, "%s apples\nare “ripe”", (3,), None)


def test_a_line_for_programs_is_one_object(record: logging.LogRecord):
    with logs.about_run(7):
        line = logs.Lines().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("warning", "app.somewhere", "3 apples\nare “ripe”")
    assert (told["run"], "request" in told) == (7, False)
    assert "run" not in json.loads(logs.Lines().format(record))


def test_a_line_for_people_names_what_it_is_about(record: logging.LogRecord):
    with logs.about_run(7):
        assert logs.Text().format(record).endswith("WARNING app.somewhere: 3 apples\nare “ripe” [run 7]")


def test_an_error_travels_with_its_traceback():
    try:
        1 / 0  # noqa: B018 -- for its error
    except ZeroDivisionError:
        record = logging.LogRecord("app", logging.ERROR, __file__, 1, "broken", (), sys.exc_info())
    assert "ZeroDivisionError" in json.loads(logs.Lines().format(record))["error"]


def test_a_request_has_the_name_that_a_proxy_gave_it_or_one_of_our_own(nobody: TestClient, database: Engine):
    given = nobody.get("/healthz", headers={"X-Request-ID": "proxy-12.a:b"})
    assert given.headers["x-request-id"] == "proxy-12.a:b"
    own = [nobody.get("/healthz").headers["x-request-id"] for _ in range(2)]
    assert own[0] != own[1]
    for forged in ("a b", "x" * 65, 'a"', "a\tb", ""):
        assert nobody.get("/healthz", headers={"X-Request-ID": forged}).headers["x-request-id"] != forged


def test_what_is_logged_about_a_request_carries_its_name(
    nobody: TestClient, database: Engine, monkeypatch: pytest.MonkeyPatch
):
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(json.loads(logs.Lines().format(record)))  # type: ignore[method-assign]
    logger = logging.getLogger("app.health")
    logger.addHandler(handler)
    try:
        monkeypatch.setattr("app.health.readiness.checks", {"part": lambda: 1 / 0})
        monkeypatch.setattr("app.health.readiness.looked_at", float("-inf"))
        nobody.get("/readyz", headers={"X-Request-ID": "one"})
    finally:
        logger.removeHandler(handler)
    assert [(line["request"], "part" in line["message"]) for line in lines] == [("one", True)]


@pytest.mark.parametrize("name", ["uvicorn.error", "app.error_responses", "celery.worker"])
def test_processes_write_nothing_but_lines(name: str):
    """uvicorn's, and Celery's, whose set-up is ours: seen in a process of its own, since a set-up is for a whole one."""
    script = f"""
import json, logging, logging.config
from app import doorbell
from app.settings import ROOT
if {name!r}.startswith("celery"):
    doorbell.celery.log.setup(loglevel="INFO")
else:
    logging.config.dictConfig(json.loads((ROOT / "app" / "uvicorn_logging.json").read_text()))
logging.getLogger({name!r}).info("begins")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger({name!r}).exception("fails")
"""
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={"LOG_FORMAT": "json", "PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stderr.splitlines()
    assert [json.loads(line)["message"] for line in told] == ["begins", "fails"]
