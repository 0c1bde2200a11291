"""Every list of the API comes in pages, and every time in an answer is UTC and says so."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import db
from app.main import create_app
from app.models import User
from app.models.api_token import SCOPES
from tests.conftest import token_client
from tests.judged import judged_pairs
from tests.trained import add_metrics, make_checkpoint, make_dataset, make_run, make_trainer

# As many as there are of what has been made by hand or what is named in the address: never many.
SHORT = {"tokens", "trainers", "compare", "aliases", "methods", "scopes"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def lists() -> Iterator[tuple[str, set[str]]]:
    """The routes that answer with rows, and the names of their query parameters."""
    for path, verbs in create_app().openapi()["paths"].items():
        told = verbs.get("get", {})
        body = told.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if body.get("type") == "array":
            yield path, {one["name"] for one in told.get("parameters", []) if one["in"] == "query"}


@pytest.fixture
def admin(ada: User) -> TestClient:
    with db.work_unit() as session:
        judged_pairs(session, 2)
        make_trainer(session)
        for _ in range(2):
            run = make_run(session, make_dataset(session), state="finished")
            add_metrics(session, run, 3)
            make_checkpoint(session, run)
    return token_client(ada, *SCOPES)


def test_every_list_has_pages():
    found = dict(lists())
    assert len(found) > 5
    unpaged = {path for path, names in found.items() if not {"after", "limit"} <= names}
    assert {path.rpartition("/")[2] for path in unpaged} <= SHORT


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "1", path.replace("{slug}", "pairs"))


def test_pages_follow_each_other_and_cursors_that_are_none_are_told(admin: TestClient):
    several = 0
    for path, names in lists():
        if "after" not in names:
            continue
        for wrong in ("after=x", "after=99999999999999999999", "limit=0", "limit=x", "after=%00"):
            assert admin.get(f"{filled(path)}?{wrong}").status_code == 422, (path, wrong)
        first = admin.get(f"{filled(path)}?limit=1")
        if first.status_code != 200 or "next" not in first.links:
            continue
        second = admin.get(first.links["next"]["url"])
        assert (second.status_code, len(first.json()), len(second.json())) == (200, 1, 1), path
        assert second.json() != first.json(), path
        several += 1
    assert several >= 4


def times(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from times(one)
    elif isinstance(value, list):
        for one in value:
            yield from times(one)
    elif isinstance(value, str) and TIME.match(value):
        yield value


def test_every_time_is_utc_and_says_so(admin: TestClient):
    seen = set()
    for path, verbs in create_app().openapi()["paths"].items():
        if "get" not in verbs or "/files/" in path:
            continue
        answer = admin.get(filled(path))
        if answer.headers.get("content-type") == "application/json":
            for one in times(answer.json()):
                assert UTC.fullmatch(one), (path, one)
                seen.add(path)
    assert len(seen) > 8
