"""Judging by program: what goes over the wire, and what is refused."""

import asyncio
import json
from collections.abc import Generator
from contextlib import ExitStack, closing
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app import db
from app.judgments import preferences
from app.judgments.api import Lines, places
from app.models import User
from tests.queued import claimed, judged, queued, undone, value


def body(turn: dict[str, Any], **also: Any) -> dict[str, Any]:
    tiers = {response["id"]: place for place, response in enumerate(turn["responses"], start=1)}
    return {"outcome": "ranked", "tiers": tiers} | also


def post(api: TestClient, turn: dict[str, Any], order: Any, key: str | None = None, query: str = "") -> Any:
    headers = {"Idempotency-Key": key or uuid4().hex, "Content-Type": "application/json"}
    content = order if isinstance(order, bytes) else json.dumps(order).encode()
    return api.post(f"/api/v1/assignments/{turn['assignment']}/judgment{query}", content=content, headers=headers)


def next_of(api: TestClient, slug: str = "words") -> Any:
    answer = api.post(f"/api/v1/projects/{slug}/next")
    assert answer.status_code == 200
    return answer.json()


def test_it_answers_with_what_it_stored(ben: User, ben_api: TestClient):
    queued(ben, items=1)
    turn = next_of(ben_api)
    answer = post(ben_api, turn, body(turn, strength=2, comment="clear", duration_ms=900))
    assert answer.status_code == 201
    judgment = answer.json()["judgment"]
    assert judgment["tiers"] == body(turn)["tiers"]
    del judgment["tiers"], judgment["id"], judgment["created_at"]
    assert judgment == {
        "assignment": turn["assignment"],
        "item": turn["item"],
        "outcome": "ranked",
        "dimensions": {},
        "strength": 2,
        "comment": "clear",
        "skip_reason": "",
        "duration_ms": 900,
        "revision": 1,
        "counted": True,
        "withdrawn": False,
    }


def test_it_takes_dimensions_and_answers_with_them(ben: User, ben_api: TestClient):
    queued(ben, items=1, dimensions=["honest", "kind"])
    turn = next_of(ben_api)
    first, second = (response["id"] for response in turn["responses"])
    said = {"kind": {first: 2, second: 1}, "honest": {first: 2, second: 2}}
    answer = post(ben_api, turn, body(turn, dimensions=said), key="once")
    assert answer.json()["judgment"]["dimensions"] == {
        "honest": {first: 1, second: 1},
        "kind": {first: 2, second: 1},
    }
    assert post(ben_api, turn, body(turn, dimensions=said), key="once").status_code == 200
    assert post(ben_api, turn, body(turn), key="once").status_code == 409


def test_a_skip_says_why(ben: User, ben_api: TestClient):
    queued(ben, items=1)
    turn = next_of(ben_api)
    answer = post(ben_api, turn, {"outcome": "skip", "skip_reason": "the prompt is cut off"}, key="once")
    assert answer.json()["judgment"]["skip_reason"] == "the prompt is cut off"
    assert post(ben_api, turn, {"outcome": "skip"}, key="once").status_code == 409


def test_a_project_that_requires_a_comment_says_so(ben: User, ben_api: TestClient):
    queued(ben, items=1, comments="required", comment_min_length=10)
    turn = next_of(ben_api)
    for comment in ("", "short"):
        answer = post(ben_api, turn, body(turn, comment=comment))
        assert (answer.status_code, answer.json()["field"]) == (422, "comment")
    assert post(ben_api, turn, body(turn, comment="long enough, this one")).status_code == 201


def test_it_replaces_a_judgment_of_ones_own(ben: User, ben_api: TestClient):
    queued(ben, items=1)
    turn = next_of(ben_api)
    judgment = post(ben_api, turn, body(turn)).json()["judgment"]
    path, key = f"/api/v1/judgments/{judgment['id']}/revise", {"Idempotency-Key": "revised"}
    answer = ben_api.post(path, json={"outcome": "tie"}, headers=key)
    assert (answer.status_code, answer.json()["judgment"]["outcome"]) == (201, "tie")
    assert ben_api.post(path, json={"outcome": "tie"}, headers=key).status_code == 200
    assert ben_api.post(path, json={"outcome": "tie"}, headers={"Idempotency-Key": "another"}).status_code == 409
    assert ben_api.post(path, json={"outcome": "tie"}).status_code == 422
    assert value("SELECT outcome FROM judgment WHERE is_current") == "tie"


def test_a_revision_that_is_refused_leaves_the_judgment_as_it_was(ben: User, ben_api: TestClient):
    queued(ben, items=1)
    turn = next_of(ben_api)
    judgment = post(ben_api, turn, body(turn)).json()["judgment"]
    answer = ben_api.post(
        f"/api/v1/judgments/{judgment['id']}/revise", json={"outcome": "banana"}, headers={"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "outcome")
    assert value("SELECT outcome FROM judgment WHERE is_current") == "ranked"
    assert value("SELECT count(*) FROM judgment") == 1


def test_it_answers_the_same_when_replayed(ben: User, ben_api: TestClient):
    queued(ben, items=1)
    turn = next_of(ben_api)
    first, again = (post(ben_api, turn, body(turn), key="once") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content


def test_it_refuses_the_same_key_for_another_judgment(ben: User, ben_api: TestClient):
    queued(ben, items=1)
    turn = next_of(ben_api)
    post(ben_api, turn, body(turn), key="once")
    assert post(ben_api, turn, {"outcome": "tie"}, key="once").status_code == 409


def test_it_stores_and_gives_the_next_turn_in_one_request(ben: User, ben_api: TestClient):
    queued(ben, items=2)
    turn = next_of(ben_api)
    following = post(ben_api, turn, body(turn), query="?next=1").json()["next"]
    assert following == next_of(ben_api) | {"expires_at": following["expires_at"]}
    assert following["item"] != turn["item"]
    assert post(ben_api, following, body(following), query="?next=1").json()["next"] is None


def test_it_takes_a_judgment_back_and_gives_its_turn_again(ben: User, ben_api: TestClient):
    queued(ben, items=3)
    turn = next_of(ben_api)
    judgment = post(ben_api, turn, body(turn), query="?next=1").json()["judgment"]
    for status in (201, 200):
        answer = ben_api.post(f"/api/v1/judgments/{judgment['id']}/withdraw", headers={"Idempotency-Key": "undo"})
        assert answer.status_code == status
        assert answer.json()["judgment"]["withdrawn"]
    assert next_of(ben_api)["assignment"] == turn["assignment"]


BAD_BODIES = {
    "no JSON": b"{",
    "no UTF-8": b'{"outcome": "\xff"}',
    "empty": b"",
    "a list": b"[]",
    "no outcome": {},
    "unknown outcome": {"outcome": "banana"},
    "endless outcome": {"outcome": "b" * 1_000_000},
    "outcome of another type": {"outcome": 1},
    "misspelt field": {"outcome": "tie", "strenght": 1},
    "ranked without tiers": {"outcome": "ranked"},
    "tiers of a foreign response": {"outcome": "ranked", "tiers": {uuid4().hex: 1}},
    "tiers that name no id": {"outcome": "ranked", "tiers": {"a": 1}},
    "many tiers": {"outcome": "ranked", "tiers": {str(uuid4()): 1 for _ in range(1000)}},
    "endless comment": {"outcome": "tie", "comment": "x" * 1_000_000},
    "NUL in the comment": {"outcome": "tie", "comment": "a\0b"},
    "half a character": b'{"outcome": "tie", "comment": "\\ud800"}',
    "half a character in the outcome": b'{"outcome": "\\ud800"}',
    "half a character in a key": b'{"outcome": "tie", "\\ud800": 1}',
    "half a character in the tiers": b'{"outcome": "tie", "tiers": {"\\ud800": 1}}',
    "negative duration": {"outcome": "tie", "duration_ms": -1},
    "duration beyond bigint": {"outcome": "tie", "duration_ms": 2**70},
    "duration in words": {"outcome": "tie", "duration_ms": "long"},
    "strength of a tie": {"outcome": "tie", "strength": 1},
    "tiers of a skip": {"outcome": "skip", "tiers": {uuid4().hex: 1}},
    "an unknown dimension": {"outcome": "tie", "dimensions": {"brave": {}}},
    "a dimension without a name": {"outcome": "tie", "dimensions": {"": {}}},
    "dimensions of another type": {"outcome": "tie", "dimensions": {"brave": 1}},
    "half a character in a dimension": b'{"outcome": "tie", "dimensions": {"\\ud800": {}}}',
    "a reason for skipping a tie": {"outcome": "tie", "skip_reason": "harmful"},
    "endless reason": {"outcome": "skip", "skip_reason": "x" * 2_000},
    "half a character in a reason": b'{"outcome": "skip", "skip_reason": "\\ud800"}',
    "deep nesting": b'{"outcome": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("order", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_it_refuses_what_is_no_judgment(ben: User, ben_api: TestClient, order: Any):
    queued(ben, items=1)
    turn = next_of(ben_api)
    answer = post(ben_api, turn, order)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert value("SELECT count(*) FROM judgment") == 0
    assert next_of(ben_api)["assignment"] == turn["assignment"]


@pytest.mark.parametrize("tier", [0, 3, -1, 2**70, 1.5, True, "1", None])
def test_it_refuses_tiers_that_are_no_place(ben: User, ben_api: TestClient, tier: Any):
    queued(ben, items=1)
    turn = next_of(ben_api)
    first, second = (response["id"] for response in turn["responses"])
    assert post(ben_api, turn, {"outcome": "ranked", "tiers": {first: 1, second: tier}}).status_code == 422


@pytest.mark.parametrize("strength", [0, 4, 2**70, 1.5, "1"])
def test_it_refuses_strengths_that_are_none(ben: User, ben_api: TestClient, strength: Any):
    queued(ben, items=1)
    turn = next_of(ben_api)
    assert post(ben_api, turn, body(turn, strength=strength)).status_code == 422


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), str(10**4000), "a", "1.5"])
def test_it_refuses_numbers_that_are_no_row(ben_api: TestClient, number: str):
    key = {"Idempotency-Key": "k"}
    assert (
        ben_api.post(f"/api/v1/assignments/{number}/judgment", json={"outcome": "tie"}, headers=key).status_code == 422
    )
    assert ben_api.post(f"/api/v1/judgments/{number}/withdraw", headers=key).status_code == 422


def test_it_asks_for_a_key(ben: User, ben_api: TestClient):
    queued(ben, items=1)
    turn = next_of(ben_api)
    answer = ben_api.post(f"/api/v1/assignments/{turn['assignment']}/judgment", json=body(turn))
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]


def test_the_models_are_not_named_before_the_judgment(ben: User, ben_api: TestClient):
    queued(ben, items=2, responses=3)
    answer = ben_api.post("/api/v1/projects/words/next")
    assert set(answer.json()["responses"][0]) == {"id", "text"}
    following = post(ben_api, answer.json(), body(answer.json()), query="?next=1")
    for told in (answer.text, following.text):
        assert "model" not in told
        assert '"m1"' not in told


def test_nothing_left_is_no_content(ben: User, ben_api: TestClient):
    queued(ben, items=0)
    answer = ben_api.post("/api/v1/projects/words/next")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_stranger_finds_nothing(ben: User, cleo_api: TestClient):
    turn = claimed(ben, queued(ben, items=1))
    stored = judged(ben, turn)
    key = {"Idempotency-Key": "k"}
    answers = [
        cleo_api.post("/api/v1/projects/words/next"),
        cleo_api.post(f"/api/v1/assignments/{turn.assignment_id}/judgment", json={"outcome": "tie"}, headers=key),
        cleo_api.post(f"/api/v1/judgments/{stored.judgment['id']}/withdraw", headers=key),
        cleo_api.post(f"/api/v1/judgments/{stored.judgment['id']}/revise", json={"outcome": "tie"}, headers=key),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 404]
    assert value("SELECT count(*) FROM judgment") == 1


def test_nobody_judges_without_a_token_or_its_scope(ben: User, nobody: TestClient, ada: User):
    from tests.conftest import token_client  # noqa: PLC0415

    queued(ben, items=1)
    reader = token_client(ben, "read")
    for api, status in ((nobody, 401), (reader, 403)):
        assert api.post("/api/v1/projects/words/next").status_code == status
        answer = api.post("/api/v1/assignments/1/judgment", json={"outcome": "tie"}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == status
        assert api.post("/api/v1/judgments/1/withdraw", headers={"Idempotency-Key": "k"}).status_code == status
        answer = api.post("/api/v1/judgments/1/revise", json={"outcome": "tie"}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == status
        assert api.get("/api/v1/projects/words/preferences").status_code == status


def lines(api: TestClient) -> list[dict[str, Any]]:
    answer = api.get("/api/v1/projects/words/preferences")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *found, last = [json.loads(line) for line in answer.text.splitlines()]
    assert last == {"end": True, "tuples": len(found)}
    return found


def test_the_tuples_come_in_the_shape_that_trainers_read(ben: User, ada_api: TestClient):
    turn = claimed(ben, queued(ben, items=1))
    stored = judged(ben, turn)
    (line,) = lines(ada_api)
    better, worse = turn.responses
    assert line["prompt"] == [{"role": "user", "content": "words 0"}]
    assert line["chosen"] == [{"role": "assistant", "content": better[1]}]
    assert line["rejected"] == [{"role": "assistant", "content": worse[1]}]
    assert (line["group"], line["judgment"], line["margin"]) == (turn.item_id, stored.judgment["id"], None)
    assert {line["chosen_model"], line["rejected_model"]} == {"m0", "m1"}
    assert line["annotator"].startswith("a-")
    assert ben.name not in json.dumps(line)


def test_tuples_that_were_taken_back_are_not_sent(ben: User, ada_api: TestClient):
    project = queued(ben, items=2, responses=3)
    stored = judged(ben, claimed(ben, project))
    judged(ben, claimed(ben, project))
    assert len(lines(ada_api)) == 6
    undone(ben, stored)
    assert {line["group"] for line in lines(ada_api)} == {line["group"] for line in lines(ada_api)} - {
        stored.judgment["item"]
    }
    assert len(lines(ada_api)) == 3


def test_tuples_are_for_those_who_may_export(ben: User, ben_api: TestClient, ada_api: TestClient):
    queued(ben, items=1)
    assert ben_api.get("/api/v1/projects/words/preferences").status_code == 403
    assert ada_api.get("/api/v1/projects/nowhere/preferences").status_code == 404
    assert lines(ada_api) == []


def test_the_stream_comes_in_portions_and_gives_its_connection_back(ben: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preferences, "ROWS_AT_ONCE", 2)
    project = queued(ben, items=1, responses=4)
    judged(ben, claimed(ben, project))
    idle = db.engine().pool.checkedout()  # type: ignore[attr-defined]
    assert [part.count(b"\n") for part in preferences.preference_lines(project)] == [2, 2, 2]
    with closing(preferences.preference_lines(project)) as stream:
        next(stream)
        assert value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH FORWARD %'") == 1
        assert db.engine().pool.checkedout() == idle + 1  # type: ignore[attr-defined]
    assert db.engine().pool.checkedout() == idle  # type: ignore[attr-defined]


def test_slow_readers_leave_connections_to_others(ben: User, ada_api: TestClient):
    queued(ben, items=0)
    with ExitStack() as slow:
        while places().acquire(blocking=False):
            slow.callback(places().release)
        refused = ada_api.get("/api/v1/projects/words/preferences")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert ada_api.get("/api/v1/projects/words").status_code == 200
        places().release()
        assert [lines(ada_api) for _ in range(3)] == [[], [], []]  # each gives its place back
        places().acquire()


@pytest.mark.parametrize("breaks", [False, True])
def test_a_stream_ends_and_gives_its_place_back_when_its_reader_goes_away(breaks: bool):
    """Also where it cannot be closed, as when the database went away as well."""
    ended = []

    def endless() -> Generator[bytes]:
        try:
            while True:
                yield b"{}\n"
        finally:
            ended.append(True)
            if breaks:
                raise ConnectionError

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError

    before, lines = free_places(), endless()
    with pytest.raises(ConnectionError if breaks else ClientDisconnect):
        asyncio.run(Lines(lines)({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send))
    assert ended
    assert free_places() == before


def free_places() -> int:
    n = 0
    while places().acquire(blocking=False):
        n += 1
    places().release(n)
    return n
