"""Serving a stored file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from app.downloads import download, listed
from app.errors import NotFound
from app.storage import Storage, Stored, store_file

CONTENT = bytes(range(256)) * 8


@pytest.fixture
def stored(files: Storage, tmp_path: Path) -> Iterator[Stored]:
    source = tmp_path / "numbers.bin"
    source.write_bytes(CONTENT)
    yield store_file("downloads", "sub/numbers.bin", source)
    files.delete_all("downloads")


@pytest.fixture
def shelf(stored: Stored) -> TestClient:
    """An application with one file."""
    app = FastAPI()

    @app.api_route("/file", methods=["GET", "HEAD"])
    def file(request: Request) -> Response:
        return download(request, "downloads", stored)

    return TestClient(app)


def test_it_sends_the_whole_file_with_its_sum(shelf: TestClient, stored: Stored):
    answer = shelf.get("/file")
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["etag"] == f'"{stored.sha256}"'
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert "numbers.bin" in answer.headers["content-disposition"]
    assert "sub" not in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=4-19", 4, 20),
        ("bytes=2000-", 2000, 2048),
        ("bytes=2000-99999", 2000, 2048),
        ("bytes=-5", 2043, 2048),
        ("bytes=-99999", 0, 2048),
    ],
)
def test_it_sends_a_range(shelf: TestClient, asked: str, start: int, end: int):
    answer = shelf.get("/file", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/2048"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=2048-", "bytes=9999-10000", "bytes=-0"])
def test_it_refuses_a_range_behind_the_end(shelf: TestClient, asked: str):
    answer = shelf.get("/file", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == "bytes */2048"


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", f"bytes={'9' * 5000}-"]
)
def test_it_sends_everything_for_a_range_it_does_not_understand(shelf: TestClient, asked: str):
    answer = shelf.get("/file", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("tag", ['"{}"', 'W/"{}"', '"other", "{}"', "*"])
def test_it_does_not_send_again_what_is_there(shelf: TestClient, stored: Stored, tag: str):
    answer = shelf.get("/file", headers={"If-None-Match": tag.format(stored.sha256)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == f'"{stored.sha256}"'


def test_it_sends_what_another_tag_asks_for(shelf: TestClient):
    assert shelf.get("/file", headers={"If-None-Match": '"other"'}).status_code == 200


def test_it_goes_on_only_with_the_same_file(shelf: TestClient, stored: Stored):
    same = {"Range": "bytes=4-7", "If-Range": f'"{stored.sha256}"'}
    other = {"Range": "bytes=4-7", "If-Range": '"other"'}
    assert shelf.get("/file", headers=same).content == CONTENT[4:8]
    assert shelf.get("/file", headers=other).content == CONTENT


def test_it_tells_the_head_without_the_body(shelf: TestClient, stored: Stored):
    answer = shelf.head("/file")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert shelf.head("/file", headers={"Range": "bytes=0-9"}).headers["content-range"] == "bytes 0-9/2048"


@pytest.mark.parametrize("path", ["", "..", "../b", "/a.txt", "a.txt/", "A.TXT", "a.txt\0", "%2e%2e/a.txt"])
def test_it_knows_no_file_but_those_of_the_row(path: str):
    with pytest.raises(NotFound, match=r"the files are a\.txt"):
        listed([{"path": "a.txt", "size": 1, "sha256": "ab"}], path)
