"""POST /api/v1/projects/{slug}/items."""

import gzip
import json
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import db
from app.models import User
from app.people import service as people
from app.settings import get_settings
from tests.queued import queued

ROWS = [{"prompt": f"p{number}", "responses": ["a", "b"], "id": f"q{number}"} for number in range(5)]
URL = "/api/v1/projects/words/items"


def ndjson(*rows: Any) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


def count(table: str) -> int:
    with db.work_unit() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def sent(program: TestClient, body: Any, **headers: str) -> httpx.Response:
    return program.post(URL, content=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_it_takes_good_lines_in_and_names_bad_ones(ada_api: TestClient):
    queued(items=0)
    body = ndjson(*ROWS[:2], b"{not json", {"responses": ["a", "b"]}, {"prompt": "p", "responses": ["a"]}, *ROWS[2:])
    answer = sent(ada_api, body, content_type="application/x-ndjson")
    assert answer.status_code == 200
    told = answer.json()
    assert {name: told[name] for name in ("imported", "duplicates", "judgments", "failed")} == {
        "imported": 5,
        "duplicates": 0,
        "judgments": 0,
        "failed": 3,
    }
    assert [error["line"] for error in told["errors"]] == [3, 4, 5]
    assert all(error["message"] for error in told["errors"])
    assert count("item") == 5


def test_importing_again_adds_nothing(ada_api: TestClient):
    queued(items=0)
    sent(ada_api, ndjson(*ROWS))
    again = sent(ada_api, ndjson(*ROWS)).json()
    assert (again["imported"], again["duplicates"], count("item")) == (0, 5, 5)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps(ROWS).encode(), {"content_type": "application/json"}),
        (gzip.compress(ndjson(*ROWS)), {"content_type": "application/gzip"}),
        (gzip.compress(ndjson(*ROWS)), {"content_type": "application/x-ndjson", "content_encoding": "gzip"}),
        (gzip.compress(gzip.compress(ndjson(*ROWS))), {"content_encoding": "gzip"}),
        (ndjson(*ROWS), {"content_type": "application/x-www-form-urlencoded"}),
        (
            b"prompt,response_1,response_2\n" + b"".join(b"p%d,a,b\n" % n for n in range(5)),
            {"content_type": "text/csv"},
        ),
    ],
    ids=["array", "gzip", "gzip declared", "gzip in gzip", "curl without a type", "csv"],
)
def test_it_takes_every_format(ada_api: TestClient, body: bytes, headers: dict[str, str]):
    queued(items=0)
    assert sent(ada_api, body, **headers).json()["imported"] == 5


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"", {}, "the file is empty"),
        (b"name,text\n1,2", {}, "none of NDJSON"),
        (gzip.compress(ndjson(*ROWS))[:-9], {}, "gzip data is damaged"),
        (b"PAR1" + bytes(40), {}, "Parquet file is damaged"),
        (ndjson(*ROWS), {"content_encoding": "br"}, "content encoding “br”"),
        (ndjson(*ROWS), {"content_type": "multipart/form-data; boundary=x"}, "--data-binary"),
    ],
)
def test_it_refuses_what_it_cannot_read(ada_api: TestClient, body: bytes, headers: dict[str, str], words: str):
    queued(items=0)
    answer = sent(ada_api, body, **headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLOAD_LIMIT_MB", "1")
    get_settings.cache_clear()
    monkeypatch.setattr("app.imports.service.get_settings", get_settings.__wrapped__)


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzip"])
def test_it_stores_nothing_of_what_is_too_large(ada_api: TestClient, small_limit: None, packed: bool):
    queued(items=0)
    body = ndjson(*({"prompt": f"p{number}", "responses": ["a" * 1000, "b"]} for number in range(1100)))
    answer = sent(ada_api, gzip.compress(body) if packed else body)
    assert answer.status_code == 413
    assert "1 MiB" in answer.json()["detail"]
    assert (count("item"), count("prompt"), count("audit WHERE action = 'items.imported'")) == (0, 0, 0)


def test_it_streams_the_body(ada_api: TestClient):
    queued(items=0)
    answer = sent(ada_api, (ndjson(row) + b"\n" for row in ROWS))
    assert answer.json()["imported"] == 5


def test_it_is_closed_to_strangers(
    nobody: TestClient, ben: User, ben_api: TestClient, cleo_api: TestClient, ben_browser: TestClient
):
    queued(ben, items=0)
    body = ndjson(*ROWS)
    assert sent(nobody, body).status_code == 401
    assert sent(ben_api, body).status_code == 403
    assert sent(cleo_api, body).status_code == 403
    assert ben_browser.post(URL, content=body).status_code == 403
    assert count("item") == 0


def test_a_token_without_the_scope_does_not_do(ada: User):
    from tests.conftest import token_client  # noqa: PLC0415 -- a helper of the stage, not of the story

    queued(items=0)
    assert sent(token_client(ada, "read", "judge", "export", "admin"), ndjson(*ROWS)).status_code == 403
    assert sent(token_client(ada, "import"), ndjson(*ROWS)).status_code == 200


@pytest.mark.parametrize("slug", ["unknown", "a%00b", "..", "%F0%9F%8D%8B", "x" * 500])
def test_an_unknown_project_is_not_found(ada_api: TestClient, slug: str):
    answer = ada_api.post(f"/api/v1/projects/{slug}/items", content=ndjson(*ROWS))
    assert answer.status_code == 404


def test_annotators_are_told_apart_from_people(ada_api: TestClient, ada: User):
    queued(items=0)
    record = {"prompt": "p", "chosen": "a", "rejected": "b", "annotator": "ada"}
    assert sent(ada_api, ndjson(record)).json()["judgments"] == 1
    with db.work_unit() as session:
        kinds = session.execute(
            text("SELECT judge_kind, email IS NULL FROM \"user\" WHERE name ILIKE 'ada' ORDER BY 1")
        )
        assert [tuple(row) for row in kinds] == [("human", False), ("imported", True)]
        assert people.user_by_email(session, "ada@example.org").id == ada.id
