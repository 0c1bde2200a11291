"""A program that judges."""

import pytest

from app.client import BadInputError, Client, TiebreakError
from app.models import User
from tests.queued import queued


def test_it_judges_until_nothing_is_left(client: Client, ada: User):
    queued(ada, items=4)
    said = []
    for turn in client.turns("words"):
        assert turn.prompt[-1]["role"] == "user"
        said.append(turn.judge([2, 1], strength=3, comment="shorter"))
    assert len(set(said)) == 4
    assert client.claim("words") is None
    assert client.project("words").counts.judgments == 4
    best = {one.chosen_id for one in client.preferences("words")}
    assert len(best) == 4


def test_it_says_what_is_no_order(client: Client, ada: User):
    queued(ada, items=4)
    ways = iter(
        [{"tiers": [1, 1]}, {"outcome": "tie"}, {"outcome": "all_bad"}, {"outcome": "skip", "skip_reason": "?"}]
    )
    for turn in client.turns("words"):
        turn.judge(**next(ways))
    assert client.project("words").counts.tuples == 0


def test_a_ranking_has_a_tier_for_each_response(client: Client, ada: User):
    queued(ada, items=1, responses=3)
    turn = client.claim("words")
    assert turn is not None
    with pytest.raises(ValueError, match="3 responses and 2 tiers"):
        turn.judge([1, 2])
    with pytest.raises(ValueError, match="a tier for each response"):
        turn.judge()
    with pytest.raises(BadInputError) as refused:
        turn.judge([1, 2, 3], strength=9)
    assert refused.value.field == "strength"
    turn.judge([2, 1, 2])
    found = list(client.preferences("words"))
    assert {one.chosen_id for one in found} == {turn.responses[1].id}
    assert len(found) == 2


def test_a_turn_is_kept_or_given_back(client: Client, ada: User):
    queued(ada, items=1)
    turn = client.claim("words")
    assert turn is not None
    assert turn.renew() >= turn.expires_at
    turn.release()
    again = client.claim("words")
    assert again is not None
    assert again.item == turn.item


def test_a_turn_that_was_not_judged_does_not_come_for_ever(client: Client, ada: User):
    queued(ada, items=1)
    with pytest.raises(TiebreakError, match="was not judged"):
        for _ in client.turns("words"):
            pass
