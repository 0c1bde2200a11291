"""The import page: a file or pasted records in, counts and bad lines out."""

import gzip
import json

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import db
from app.imports import service
from tests.queued import queued

ROWS = b"".join(json.dumps({"prompt": f"p{n}", "responses": ["a", "b"]}).encode() + b"\n" for n in range(3))
URL = "/projects/words/import"


def uploaded(browser: TestClient, data: bytes, name: str = "rows.jsonl.gz") -> httpx.Response:
    return browser.post(URL, files={"file": (name, data, "application/octet-stream")}, data={"records": ""})


def pasted(browser: TestClient, records: str) -> httpx.Response:
    return browser.post(URL, files={"file": ("", b"", "application/octet-stream")}, data={"records": records})


def test_the_page_says_what_a_record_looks_like(ada_browser: TestClient):
    queued(items=0)
    page = ada_browser.get(URL)
    assert page.status_code == 200
    assert "&#34;chosen&#34;" in page.text or '"chosen"' in page.text
    assert "exactly 2 responses" in page.text


def test_it_imports_a_file_and_shows_what_became_of_it(ada_browser: TestClient):
    queued(items=0)
    answer = uploaded(ada_browser, gzip.compress(ROWS + b"{<script>\n"))
    assert answer.status_code == 303
    result = ada_browser.get(answer.headers["location"])
    assert result.status_code == 200
    assert "rows.jsonl.gz" in result.text
    assert "<dd>3</dd>" in result.text
    assert "not JSON" in result.text
    assert "<script>\n" not in result.text
    assert answer.headers["location"] in ada_browser.get(URL).text


def test_it_imports_what_is_pasted(ada_browser: TestClient):
    queued(items=0)
    csv = "prompt;chosen;rejected\r\np;a;b\r\n"
    result = ada_browser.get(pasted(ada_browser, csv).headers["location"])
    assert "Every line was good." in result.text
    again = ada_browser.get(pasted(ada_browser, csv).headers["location"])
    assert "nothing was added" in again.text


def test_what_was_pasted_is_not_lost_when_it_is_refused(ada_browser: TestClient):
    queued(items=0)
    answer = pasted(ada_browser, "prompt;answer\np;<b>bold</b>\n")
    assert answer.status_code == 422
    assert "none of NDJSON" in answer.text
    assert "p;&lt;b&gt;bold&lt;/b&gt;" in answer.text


@pytest.mark.parametrize("records", ["", "  \n"])
def test_it_asks_for_something(ada_browser: TestClient, records: str):
    queued(items=0)
    answer = pasted(ada_browser, records)
    assert answer.status_code == 422
    assert "choose a file, or paste records" in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"file=x", "application/x-www-form-urlencoded"),
        (b"rubbish", "multipart/form-data; boundary=x"),
        (b"rubbish", "multipart/form-data"),
        (b"", ""),
    ],
)
def test_a_form_that_no_browser_sends_is_refused(ada_browser: TestClient, body: bytes, kind: str):
    queued(items=0)
    answer = ada_browser.post(URL, content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422


def test_an_import_that_finds_another_one_at_work_says_so_on_its_page(
    ada_browser: TestClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "WAIT_S", 1)
    queued(items=0)
    with db.work_unit() as other:
        other.execute(text("SELECT id FROM project FOR UPDATE"))
        answer = uploaded(ada_browser, gzip.compress(ROWS))
    assert answer.status_code == 409
    assert "another import" in answer.text


def test_it_shows_only_imports_of_the_project(ada_browser: TestClient):
    queued(items=0)
    queued(items=0, slug="other")
    place = uploaded(ada_browser, gzip.compress(ROWS)).headers["location"]
    assert ada_browser.get(place.replace("words", "other")).status_code == 404
    assert ada_browser.get("/projects/words/imports/999").status_code == 404
    assert ada_browser.get("/projects/words/imports/0").status_code == 404


def test_what_is_wrong_is_said_in_the_language_of_whoever_imports(ada_browser: TestClient):
    queued(items=0)
    ada_browser.headers["accept-language"] = "de"
    answer = pasted(ada_browser, '[["no", "record"], {"prompt": 7, "responses": ["a", "b"]}]')
    page = ada_browser.get(answer.headers["location"]).text
    assert "Eintrag 1: ein Eintrag ist ein Objekt" in page
    assert "Text oder eine Liste von Nachrichten sein, dies ist eine Zahl" in page
