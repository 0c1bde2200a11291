"""What every request and every answer passes through."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.db import SessionDep, fetch
from app.main import LARGEST_BODY, create_app


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/sign-in", "application/x-www-form-urlencoded"), ("/api/v1/projects", "application/json")],
)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    nobody: TestClient, database: Engine, path: str, kind: str
):
    chunks = (b"a" * 65_536 for _ in range(LARGEST_BODY // 65_536 + 2))
    answer = nobody.post(path, content=chunks, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert "MiB" in answer.text


def test_a_page_that_is_not_there_says_so(nobody: TestClient, database: Engine):
    assert nobody.get("/nowhere").status_code == 404
    answer = nobody.get("/api/v1/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_a_route_does_not_take_is_405(nobody: TestClient, database: Engine):
    assert nobody.delete("/api/v1/projects").status_code == 405


def test_it_says_that_it_serves(nobody: TestClient, database: Engine):
    assert nobody.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("SELECT pg_terminate_backend(pg_backend_pid())", 503),
        ("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)", 503),
        ("SELECT CAST('x' AS int)", 422),
    ],
)
def test_what_the_driver_itself_says_is_told_as_what_sqlalchemy_says(database: Engine, statement: str, status: int):
    app = create_app()

    @app.get("/api/ask")
    def ask(session: SessionDep) -> None:
        fetch(session, statement, {})  # type: ignore[arg-type]  # one of those above

    answer = TestClient(app, raise_server_exceptions=False).get("/api/ask")
    assert answer.status_code == status
