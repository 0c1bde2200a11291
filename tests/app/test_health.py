"""Whether it lives, and whether it is ready."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from app import health, storage


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    """Each story looks for itself, and leaves nothing found for the next."""
    health.readiness.looked_at = float("-inf")
    yield
    health.readiness.looked_at = float("-inf")


def test_it_lives_without_a_database(nobody: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "work_unit", lambda: 1 / 0)
    assert nobody.get("/healthz").json() == {"status": "ok"}


def test_it_is_ready_when_everything_is_there(nobody: TestClient, database: Engine):
    answer = nobody.get("/readyz")
    parts = {"database": "ok", "tables": "ok", "storage": "ok"}
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "parts": parts})


def test_it_is_not_ready_with_the_tables_of_another_version(nobody: TestClient, database: Engine):
    with database.begin() as connection:
        present = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    try:
        answer = nobody.get("/readyz")
    finally:
        with database.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :present"), {"present": present})
    assert (answer.status_code, answer.json()["parts"]["tables"]) == (503, "not ready")


def test_it_is_not_ready_without_its_storage_and_tells_strangers_no_details(
    nobody: TestClient, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setattr(storage.storage(), "root", tmp_path / "file")
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["storage"]) == (503, "not ready")
    assert str(tmp_path) not in answer.text


def test_it_looks_once_for_all_who_ask_within_a_second():
    asked = []
    readiness = health.Readiness({"part": lambda: asked.append(1) or ""})
    assert [readiness.look() for _ in range(5)] == [{"part": "ok"}] * 5
    assert len(asked) == 1
    readiness.looked_at -= health.LOOK_AGAIN_S
    readiness.look()
    assert len(asked) == 2
