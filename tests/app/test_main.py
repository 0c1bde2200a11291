"""What every request and every answer passes through."""

import resource
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from jinja2 import TemplateNotFound
from sqlalchemy import Engine, text

from app import db, storage
from app.db import SessionDep, fetch
from app.main import create_app
from app.middleware import LARGEST_BODY
from tests.app.test_tables import tables_of_another_version
from tests.judged import judged_pairs
from tests.serving import served


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


@pytest.mark.parametrize("headers", [b"", b"Expect: 100-continue\r\n"])
def test_an_answer_arrives_however_much_was_still_to_be_sent(migrated: str, headers: bytes):
    """Nothing of the body is wanted, and the server hangs up when it has answered."""
    length = 0 if headers else 8 << 20
    with served() as address, socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), 120) as client:
        client.sendall(
            b"POST /api/v1/runs/1/cancel HTTP/1.1\r\nHost: tests\r\nConnection: close\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n%b\r\n" % (8 << 20, headers)
        )
        for _ in range(length >> 16):
            client.sendall(b" " * (1 << 16))
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/api/v1/projects/items"),
        ("PUT", "/api/v1/checkpoints/a/aliases/items"),
        ("PUT", "/api/v1/checkpoints/a/aliases/import"),
    ],
)
def test_what_is_called_as_an_import_is_none(ada_api: TestClient, method: str, path: str):
    answer = ada_api.request(
        method, path, content=b" " * (LARGEST_BODY + 1), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert f"{LARGEST_BODY >> 20} MiB" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/assignments/1/judgment"])
@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"slug": "a', "application/json", "body: this is not JSON: "),
        ('["words"]', "application/json", "; send JSON, with Content-Type: application/json"),
        ("", "application/json", "body: "),
        ("slug=words", "application/x-www-form-urlencoded", "body: "),
    ],
)
def test_what_is_wrong_with_a_body_as_a_whole_is_said_of_the_body(
    ada_api: TestClient, path: str, body: str, kind: str, words: str
):
    answer = ada_api.post(path, content=body, headers={"Content-Type": kind, "Idempotency-Key": "one"})
    told = answer.json()
    assert (answer.status_code, told["field"]) == (422, "body")
    assert words in told["detail"]
    assert "JSON" in told["detail"]


def test_a_page_that_is_not_there_says_so(nobody: TestClient, database: Engine):
    assert nobody.get("/nowhere").status_code == 404
    answer = nobody.get("/api/v1/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_a_route_does_not_take_is_405(nobody: TestClient, database: Engine):
    answer = nobody.delete("/healthz")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


def test_half_a_character_is_the_mistake_of_who_sent_it(ada_api: TestClient, nobody: TestClient, database: Engine):
    body = rb'{"slug": "p", "name": "P", "kind": "\ud800", "\udfff": 1}'
    for sent in (body, body.replace(b', "\\udfff": 1', b"")):
        answer = ada_api.post("/api/v1/projects", content=sent, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
    order = rb'{"method": "sft", "dataset": "\ud800"}'
    assert ada_api.post("/api/v1/runs", content=order, headers={"Content-Type": "application/json"}).status_code == 422
    for charset, said in (("unicode_escape", rb"\ud800"), ("punycode", b"\\"), ("undefined", b"a")):
        form = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n' + said + b"\r\n--x--\r\n"
        kind = f"multipart/form-data; boundary=x; charset={charset}"
        assert nobody.post("/sign-in", content=form, headers={"Content-Type": kind}).status_code in {400, 422}


def test_it_leads_to_the_sign_in_page_from_an_address_that_is_none(nobody: TestClient, database: Engine):
    answer = nobody.get("/projects", headers={"HX-Request": "true", "HX-Current-URL": "http://["})
    assert answer.headers["hx-redirect"] == "/sign-in?next=/"


def test_a_redirect_takes_any_letters(ada_browser: TestClient):
    answer = ada_browser.get("/sign-in", params={"next": "/projects/é€"}, headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"] == "/projects/%C3%A9%E2%82%AC"


def test_the_description_of_the_api_knows_problem_documents(nobody: TestClient, database: Engine):
    described = nobody.get("/api/v1/openapi.json").json()["paths"]["/api/v1/projects"]["post"]["responses"]
    assert described.keys() == {"201", "400", "401", "403", "404", "409", "413", "422", "429", "503"}
    assert {kind for status in described if status != "201" for kind in described[status]["content"]} == {
        "application/problem+json"
    }


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


def test_a_storage_that_cannot_be_written_is_said_and_nothing_is_stored(
    ada_api: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with db.work_unit() as session:
        slug = judged_pairs(session, 4).slug
    (tmp_path / "storage").write_text("a file where the folder should be")
    monkeypatch.setattr(storage.storage(), "root", tmp_path / "storage")
    answer = ada_api.post(f"/api/v1/projects/{slug}/datasets", json={"name": "pairs"})
    assert answer.status_code == 503
    assert "nothing was stored" in answer.json()["detail"]
    assert ada_api.get("/api/v1/datasets").json() == []


def test_a_full_disk_is_said_and_leaves_no_file_of_a_dataset(ada_api: TestClient, database: Engine):
    """No file may grow beyond a few kilobytes, as with a quota."""
    with db.work_unit() as session:
        slug = judged_pairs(session, 40).slug
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, before[1]))
    try:
        answer = ada_api.post(f"/api/v1/projects/{slug}/datasets", json={"name": "narrow"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer.status_code == 503
    assert "no room left" in answer.json()["detail"]
    assert storage.storage().folders("datasets/narrow") == []
    assert ada_api.post(f"/api/v1/projects/{slug}/datasets", json={"name": "narrow"}).json()["version"] == 1


def test_a_template_that_is_missing_is_a_fault_of_ours_and_not_the_storages(database: Engine):
    app = create_app()

    @app.get("/api/page")
    def page() -> None:
        raise TemplateNotFound("nowhere.html")

    answer = TestClient(app, raise_server_exceptions=False).get("/api/page")
    assert (answer.status_code, "storage" in answer.text) == (500, False)


@pytest.mark.parametrize("statement", ["SELECT * FROM tables_to_come", "SELECT count(*) FROM audit FOR UPDATE"])
def test_tables_of_another_version_are_said_and_a_statement_that_is_wrong_is_a_fault(database: Engine, statement: str):
    """What Postgres does not support is also a plan that was made when the tables were others."""
    app = create_app()

    @app.get("/api/ask")
    def ask(session: SessionDep) -> None:
        session.execute(text(statement))

    @app.get("/api/ask/quickly")
    def ask_quickly() -> None:
        with db.quick_unit() as unit:
            fetch(unit, statement, {})  # type: ignore[arg-type]  # one of those above

    asked = TestClient(app, raise_server_exceptions=False)
    assert asked.get("/api/ask").status_code == asked.get("/api/ask/quickly").status_code == 500
    with tables_of_another_version(database):
        for path in ("/api/ask", "/api/ask/quickly"):
            answer = asked.get(path)
            assert (answer.status_code, "another version" in answer.json()["detail"]) == (503, True)


def test_pages_and_scripts_travel_packed_and_answers_to_programs_do_not(
    ada_browser: TestClient, ada_api: TestClient
) -> None:
    for path in ("/projects/new", "/static/app.css"):
        answer = ada_browser.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        assert int(answer.headers["content-length"]) < len(answer.content)
        assert "content-encoding" not in ada_browser.get(path, headers={"Accept-Encoding": "identity"}).headers
    described = ada_api.get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in described.headers
