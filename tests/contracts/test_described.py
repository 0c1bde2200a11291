"""Every operation over HTTP with whatever its description allows: no error of the server, no answer that is not told of.

Schemathesis makes the requests, also from the examples, and holds the answers against the description. Most of them reach rows that
are there, so that it is not all about things that are not found.
"""

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select

from app import db
from app.main import app
from app.models import Project, User
from app.models.api_token import SCOPES
from app.people import service as people
from tests.contracts.test_every_route import Place
from tests.contracts.test_every_route import place as place  # noqa: PLC0414 -- the same place, for these stories too
from tests.queued import asked, judged, queued
from tests.serving import served
from tests.trained import make_checkpoint, make_dataset, make_run, make_trainer

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EACH = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
JUDGING = ("/judgment", "/revise")
AN_HOUR_S = 3600.0


def rooms() -> dict[str, list[Any]]:
    """The operations of each room, those that delete at the end."""
    found = defaultdict(list)
    for result in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = result.ok()
        if operation.path.startswith("/api/"):
            found[operation.tags[0]].append(operation)
    return {room: sorted(of, key=lambda one: one.method == "delete") for room, of in found.items()}


ROOMS = rooms()


@pytest.fixture(scope="module")
def address(migrated: str) -> Iterator[str]:
    with served(RATE_LIMIT="0") as address:
        yield address


@pytest.fixture
def there(place: Place) -> Place:
    """What the examples speak of is there as well, and a trainer that lives for as long as any test takes."""
    queued(slug="helpful", items=0)
    with db.work_unit() as session:
        run = make_run(session, make_dataset(session, "helpful"), state="finished", checkpoint_name="starter")
        make_checkpoint(session, run)
        make_trainer(session, seen_s_ago=-AN_HOUR_S)
    return place


def admin(number: int) -> User:
    """One for each operation: the last one may have shut its own out."""
    with db.work_unit() as session:
        user = User(email=f"admin-{number}@example.org", name=f"Admin {number}", role="admin", password_hash="")
        session.add(user)
    return user


def named(place: Place, user: User, operation: Any) -> dict[str, Any]:
    """What the names in an address can stand for; whoever asks has judged an item and has a turn at another."""
    found = {f"{name}_id": number for name, number in place.numbers.items()} | {"user_id": place.numbers["fay"]}
    with db.work_unit() as session:
        words = session.scalars(select(Project).where(Project.slug == "words")).one()
    turns = []
    if turn := asked(user, words):
        turns.append(turn.assignment_id)
        found["judgment_id"] = judged(user, turn).judgment["id"]
    if turn := asked(user, words):
        turns.append(turn.assignment_id)
    if turns:
        found["assignment_id"] = turns[-1 if operation.method == "post" else 0]
    path = "train.jsonl" if "dataset" in operation.path else "model.safetensors"
    return found | {"slug": "words", "name": "pairs-dpo", "alias": "candidate", "path": path}


def call(case: Any, address: str, user: User) -> int:
    """With a token of its own, since the last call may have revoked the one that it came with."""
    with db.work_unit() as session:
        secret = people.make_token(session, user, SCOPES)
    answer = case.call_and_validate(base_url=address, headers={"Authorization": f"Bearer {secret}"}, checks=CHECKS)
    return int(answer.status_code)


def statuses(operation: Any, address: str, user: User, names: dict[str, Any]) -> list[int]:
    """What was answered; raises when one of the answers is not as it should be."""
    found = []

    @EACH
    @given(
        case=st.one_of(operation.as_strategy(), *operation.get_strategies_from_examples()),
        reaches=st.sampled_from([True, True, False]),
    )
    def each(case: Any, reaches: bool) -> None:
        if reaches:
            case.path_parameters |= {name: names[name] for name in case.path_parameters if name in names}
            if case.path.endswith(JUDGING):
                case.body = {"outcome": "tie"}  # which fits whatever was shown
        if isinstance(case.body, dict) and "url" in case.body:
            case.body["url"] = "https://1.1.1.1/hook"  # no name, which the server would have looked up
        found.append(call(case, address, user))

    each()
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("room", sorted(ROOMS))
def test_whatever_the_description_allows_is_answered_as_it_says(room: str, address: str, there: Place):
    wrong, found = [], []
    for number, operation in enumerate(ROOMS[room]):
        user = admin(number)
        try:
            found += statuses(operation, address, user, named(there, user, operation))
        except* schemathesis.core.failures.Failure as failures:
            wrong += [f"{operation.label}: {one}" for one in failures.exceptions]
    assert wrong == []
    assert any(status < HTTPStatus.MULTIPLE_CHOICES for status in found), "some of it was done"
