"""The doctor: what it finds well, what it finds ill, and what it says to do."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from app import db, doctor, storage
from app.cli import main
from app.doctor import Finding, examine
from tests.trained import make_trainer


def found() -> dict[str, Finding]:
    return {finding.what: finding for finding in examine()}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers a ping in these stories, so nobody is waited for."""
    monkeypatch.setattr(doctor, "PING_S", 0.05)


def test_it_finds_what_is_there(database: Engine):
    with db.work_unit() as session:
        make_trainer(session, "train@elsewhere")
    findings = found()
    assert list(findings) == [what for what, _, _ in doctor.CHECKS]
    assert {what for what, finding in findings.items() if not finding.well} == {"workers"}
    assert findings["trainer"].words == "train@elsewhere on cpu, 2 cores"
    assert "tiebreak worker app" in findings["workers"].words


def test_without_a_trainer_it_says_how_to_start_one(database: Engine):
    assert "tiebreak worker train" in found()["trainer"].words


def test_a_worker_that_answers_is_named(database: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor.celery.control, "ping", lambda **_: [{"app@here": {"ok": "pong"}}])
    assert found()["workers"] == Finding("workers", well=True, words="app@here")


def test_a_storage_that_cannot_be_written_is_ill_with_advice(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setattr(storage.storage(), "root", tmp_path / "file")
    finding = found()["storage"]
    assert (finding.well, "STORAGE_URL" in finding.words) == (False, True)


def test_it_leaves_nothing_in_storage(database: Engine, files: storage.Storage):
    assert found()["storage"].well
    assert isinstance(files, storage.LocalDisk)
    assert list(files.root.glob("doctor-*")) == []


def test_a_full_disk_a_wrong_clock_and_a_gpu_that_is_not_used_are_ill(
    database: Engine, monkeypatch: pytest.MonkeyPatch
):
    with db.work_unit() as session:
        make_trainer(session, f"train@{doctor.socket.gethostname()}").device = "CPU, 2 threads"
    monkeypatch.setattr(doctor, "FREE_GIB", 10.0**9)
    monkeypatch.setattr(doctor, "CLOCKS_APART_S", -1.0)
    monkeypatch.setattr(doctor, "_cards", lambda: ["NVIDIA Something"])
    findings = found()
    assert [findings[what].well for what in ("disk", "clock", "gpu")] == [False] * 3
    assert "make room" in findings["disk"].words
    assert "NTP" in findings["clock"].words
    assert "NVIDIA Something" in findings["gpu"].words


def test_everything_else_is_looked_at_although_the_database_is_away(database: Engine, monkeypatch: pytest.MonkeyPatch):
    def away() -> None:
        raise ConnectionRefusedError("nobody listens")

    checks = tuple((what, away if what == "database" else check, advice) for what, check, advice in doctor.CHECKS)
    monkeypatch.setattr(doctor, "CHECKS", checks)
    findings = found()
    assert findings["database"].words.startswith("nobody listens: see that PostgreSQL runs")
    assert findings["broker"].well


def test_the_command_tells_programs_by_json_and_exit_status(database: Engine):
    done = CliRunner().invoke(main, ["doctor", "--json"])
    told = json.loads(done.output)
    assert (done.exit_code, told["well"]) == (1, False)
    assert [finding["what"] for finding in told["findings"]] == [what for what, _, _ in doctor.CHECKS]
    done = CliRunner().invoke(main, ["doctor"])
    assert "ILL   workers" in done.output
    assert "well  database" in done.output
