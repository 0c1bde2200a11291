"""Records that say how their item is handed out: gold, training, a priority, for one person."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models import User
from tests.queued import queued, value

RIGHT = {"prompt": "p", "responses": [{"text": "a", "tier": 2}, {"text": "b", "tier": 1}]}
PLAIN = {"prompt": "q", "responses": ["a", "b"]}


def sent(program: TestClient, *records: dict[str, Any]) -> dict[str, Any]:
    answer = program.post("/api/v1/projects/words/items", json=list(records))
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def test_gold_is_a_right_answer_and_no_judgment(ada_api: TestClient):
    queued(items=0)
    told = sent(ada_api, RIGHT | {"gold": True}, {"prompt": "q", "chosen": "c", "rejected": "d", "training": True})
    assert (told["imported"], told["judgments"], told["errors"]) == (2, 0, [])
    assert value("SELECT count(*) FROM judgment") == 0
    assert value("SELECT array_agg(is_training ORDER BY id) FROM item WHERE wanted = 0") == [False, True]
    best = value("SELECT gold->'tiers'->>response_ids[2]::text FROM item WHERE id = 1")
    assert best == "1", "the second response of the record"


def test_the_same_gold_again_adds_nothing_and_another_answer_is_named(ada_api: TestClient):
    queued(items=0)
    sent(ada_api, RIGHT | {"gold": True}, PLAIN)
    assert sent(ada_api, RIGHT | {"gold": True})["duplicates"] == 1
    other = {"prompt": "p", "responses": [{"text": "a", "tier": 1}, {"text": "b", "tier": 2}], "gold": True}
    assert "another answer" in sent(ada_api, other)["errors"][0]["message"]
    late = {"prompt": "q", "responses": [{"text": "a", "tier": 1}, {"text": "b", "tier": 2}], "gold": True}
    assert "is not gold" in sent(ada_api, late)["errors"][0]["message"]


def test_a_judgment_of_gold_is_kept_and_makes_no_tuples(ada_api: TestClient):
    queued(items=0)
    sent(ada_api, RIGHT | {"gold": True})
    assert sent(ada_api, RIGHT)["judgments"] == 1
    assert value("SELECT counted FROM judgment") is False
    assert value("SELECT count(*) FROM preference") == 0


def test_a_priority_is_kept_and_a_record_without_one_gets_one_by_lot(ada_api: TestClient):
    queued(items=0)
    sent(ada_api, PLAIN | {"priority": -2}, {"prompt": "r", "responses": ["a", "b"]})
    assert value("SELECT priority FROM item WHERE id = 1") == -2
    assert 0 <= value("SELECT priority FROM item WHERE id = 2") < 1
    assert value("SELECT metadata FROM item WHERE id = 1") == {}


def test_an_item_is_reserved_for_a_member_and_wants_their_judgment(ada_api: TestClient, ben: User, cleo: User):
    queued(ben, items=0, wanted=3)
    assert sent(ada_api, PLAIN | {"reserved_for": "Ben@example.org"})["imported"] == 1
    assert value("SELECT ARRAY[reserved_for, wanted, open_slots] FROM item") == [ben.id, 1, 1]
    for address in ("cleo@example.org", "nobody@example.org"):
        told = sent(ada_api, {"prompt": "r", "responses": ["a", "b"], "reserved_for": address})
        assert (told["imported"], address in told["errors"][0]["message"]) == (0, True)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (PLAIN | {"gold": True}, "need the right answer"),
        (PLAIN | {"training": True}, "need the right answer"),
        (RIGHT | {"gold": "yes"}, "“gold” must be true or false"),
        (RIGHT | {"training": 1}, "“training” must be true or false"),
        (RIGHT | {"gold": True, "reserved_for": "ben@example.org"}, "leave “reserved_for” out"),
        (PLAIN | {"priority": "high"}, "“priority” must be a number"),
        (PLAIN | {"priority": True}, "“priority” must be a number"),
        (PLAIN | {"priority": 1e300}, "“priority” is"),
        (PLAIN | {"reserved_for": ["ben"]}, "“reserved_for” must be text"),
    ],
)
def test_it_says_what_is_wrong(ada_api: TestClient, ben: User, record: dict[str, Any], words: str):
    queued(ben, items=0)
    told = sent(ada_api, record)
    assert (told["imported"], words in told["errors"][0]["message"]) == (0, True), told
