"""Every route that serves a file, asked as clients that keep copies and go on where a line broke ask (RFC 9110).

A route that answers HEAD serves a file, and is given its line in `FILES`. What the API says in JSON has a tag as well.
"""

from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from app import db
from app.main import API, HUB
from app.models import Checkpoint, Dataset, RunWatch
from app.models.api_token import SCOPES
from tests.conftest import token_client
from tests.contracts import test_every_route
from tests.contracts.test_every_route import PROGRAMS, Place, ask
from tests.trained import add_file

place = test_every_route.place
TEXT = "".join(f"line {number}\n" for number in range(400)).encode()
# Each route by an address of a file whose content is TEXT, and the name that a browser gives it; none where it shows it.
FILES: dict[str, tuple[str, str | None]] = {
    "/datasets/{dataset_id}/files/{path:path}": (
        "/api/v1/datasets/{dataset}/files/train.jsonl",
        "words-v1-train.jsonl",
    ),
    "/checkpoints/{checkpoint_id}/files/{path:path}": (
        "/api/v1/checkpoints/{checkpoint}/files/config.json",
        "config.json",
    ),
    "/runs/{run_id}/log": ("/api/v1/runs/{run}/log", "run-{run}-log.txt"),
    "/datasets/{namespace}/{name}/resolve/{revision}/{path:path}": (
        "/datasets/tiebreak/words/resolve/main/train.jsonl",
        "train.jsonl",
    ),
    "/{namespace}/{name}/resolve/{revision}/{path:path}": (
        "/tiebreak/pairs-dpo/resolve/main/config.json",
        "config.json",
    ),
}
PAGES_OWN = "/static/app.css"


@pytest.fixture
def shelf(place: Place) -> Place:
    """The same text as a file of everything that has files."""
    with db.work_unit() as session:
        for table, number, path in ((Dataset, "dataset", "train.jsonl"), (Checkpoint, "checkpoint", "config.json")):
            row: Any = session.get_one(table, place.numbers[number])
            row.files = [add_file(row.prefix, path, TEXT)]
        told_at = session.get_one(Dataset, place.numbers["dataset"]).created_at
        session.add(RunWatch(run_id=place.numbers["run"], log=TEXT.decode(), usage={}, told_at=told_at))
    return place


@pytest.fixture
def admin(shelf: Place) -> TestClient:
    program = token_client(shelf.people["admin"], *SCOPES)
    program.headers["Accept-Encoding"] = "identity"
    return program


def test_every_route_that_serves_a_file_has_its_line():
    routes = [route for router in (*API, *HUB) for route in router.routes]
    assert {route.path for route in routes if "HEAD" in route.methods} == set(FILES)


def addresses(place: Place) -> dict[str, str | None]:
    filled = {path.format(**place.numbers): name and name.format(**place.numbers) for path, name in FILES.values()}
    return filled | {PAGES_OWN: None}


def get(caller: TestClient, path: str, **headers: str) -> httpx.Response:
    return caller.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_files_are_sent_whole_with_what_a_copy_is_known_by(admin: TestClient, shelf: Place):
    for path, name in addresses(shelf).items():
        whole = get(admin, path)
        size = len(whole.content)
        assert (whole.status_code, whole.headers["content-length"]) == (200, str(size)), path
        assert (whole.content == TEXT) == (path != PAGES_OWN), path
        assert whole.headers["accept-ranges"] == "bytes", path
        assert whole.headers["etag"].startswith('"'), path
        assert whole.headers.get("content-disposition", "").rpartition("''")[2] == (name or ""), path
        head = admin.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        for one in ("content-length", "etag", "accept-ranges", "content-type", "content-disposition"):
            assert head.headers.get(one) == whole.headers.get(one), (path, one)


def test_a_copy_that_is_the_same_is_not_sent_again(admin: TestClient, shelf: Place):
    for path in addresses(shelf):
        etag = get(admin, path).headers["etag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}'):
            same = get(admin, path, If_None_Match=known, Range="bytes=0-3")
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag), (path, known)
        assert get(admin, path, If_None_Match='"other"').status_code == 200, path


def test_a_part_is_sent_or_refused_as_it_is_asked_for(admin: TestClient, shelf: Place):
    for path in addresses(shelf):
        whole = get(admin, path)
        content, etag, n = whole.content, whole.headers["etag"], len(whole.content)
        parts = {"bytes=5-9": (5, 10), "bytes=7-": (7, n), "bytes=-6": (n - 6, n), f"bytes=9-{n * 2}": (9, n)}
        for asked, (start, end) in parts.items():
            for headers in ({}, {"If_Range": etag}):
                part = get(admin, path, Range=asked, **headers)
                assert (part.status_code, part.content) == (206, content[start:end]), (path, asked)
                assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{n}", (path, asked)
                assert (part.headers["content-length"], part.headers["etag"]) == (str(end - start), etag), (path, asked)
        changed = get(admin, path, Range="bytes=5-9", If_Range='"other"')
        assert (changed.status_code, changed.content) == (200, content), path
        beyond = get(admin, path, Range=f"bytes={n}-")
        assert (beyond.status_code, beyond.headers["content-range"].removeprefix("bytes ")) == (416, f"*/{n}"), path


def test_a_part_of_what_travels_packed_is_a_part_of_the_file(admin: TestClient, shelf: Place):
    packed = get(admin, PAGES_OWN, Accept_Encoding="gzip")
    assert (packed.headers["content-encoding"], "Accept-Encoding" in packed.headers["vary"]) == ("gzip", True)
    part = get(admin, PAGES_OWN, Accept_Encoding="gzip", Range="bytes=0-99")
    assert (part.status_code, part.content, part.headers.get("content-encoding")) == (206, packed.content[:100], None)


def test_what_the_api_says_is_not_said_again_to_who_has_it(admin: TestClient, shelf: Place):
    """Whatever can be read, lists as well; a stream is no document and has no tag."""
    tagged = 0
    for name, line in PROGRAMS.items():
        if not name.startswith("GET") or "/files/" in name:
            continue
        first = ask(admin, name, line, shelf, "/api/v1")
        if first.status_code != 200 or first.headers["content-type"] != "application/json":
            assert "etag" not in first.headers or name == "GET /runs/{run_id}/log", name
            continue
        address = str(first.request.url)
        again = get(admin, address, If_None_Match=first.headers["etag"])
        if again.status_code == 200:  # what tells of this very request: when a token was last used
            assert again.content != first.content, name
            continue
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"]), name
        assert get(admin, address, If_None_Match='"other"').content == first.content, name
        tagged += 1
    assert tagged > 20
