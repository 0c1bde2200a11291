"""Every route as a program whose token is bound to projects: of others it sees and changes nothing, whatever its user may do.

A new route is refused to such a token here without another word. One that answers must be named in `ANSWERS`, and its answer holds
no trace of what is beyond the bounds.
"""

import uuid
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app import db
from app.models import ApiToken, Checkpoint, CheckpointAlias, Dataset, Item, Membership, Project, Run, User
from app.models.api_token import SCOPES
from tests import trained
from tests.conftest import token_client
from tests.contracts import test_every_route
from tests.contracts.test_every_route import LIBRARIES, PROGRAMS, Line, Place, ask
from tests.queued import queued

place = test_every_route.place
PREFIX = "/api/v1"
TRACES = ("words", "pairs", "Pairs", "fay", "2222222222222222222222222222222222222222")
# What is there for a token whatever its bounds: lists, of what is within them, and who is asking.
ANSWERS = {
    "GET /account",
    "GET /tokens",
    "GET /projects",
    "GET /datasets",
    "GET /runs",
    "GET /methods",
    "GET /trainers",
    "GET /webhooks",
    "GET /checkpoints",
    "GET /publications",
    "GET /checkpoints/{name}/aliases",
    "GET /api/whoami-v2",
    "GET /api/{kind:kinds}",
}
# Lines that name nothing of the other project, and here do.
BODIES: dict[str, dict[str, Any]] = {
    "POST /runs": {"method": "dpo", "dataset": "words"},
    "POST /runs/preflight": {"method": "dpo", "dataset": "words@v1"},
    "POST /runs/sweep": {"method": "dpo", "dataset": "words", "vary": {"seed": [1]}},
}
PATHS = {"GET /runs/compare": "/runs/compare?run={run}&run=1000"}


def beyond(name: str, line: Line) -> Line:
    return Line(line.reach, PATHS.get(name, line.path), line.scope, BODIES.get(name, line.body))


def answers(caller: TestClient, place: Place) -> dict[str, Any]:
    last = sorted(PROGRAMS, key=lambda name: (not name.startswith("GET"), "DELETE" in name))
    told = {name: ask(caller, name, beyond(name, PROGRAMS[name]), place, PREFIX) for name in last}
    return told | {name: ask(caller, name, line, place) for name, line in LIBRARIES.items()}


def test_a_token_bound_to_another_project_is_refused_by_every_route(place: Place):
    bound = token_client(place.people["admin"], *SCOPES, projects=["other"])
    told = answers(bound, place)
    assert {name for name, answer in told.items() if answer.status_code == 200} == ANSWERS & set(told)
    refused = {name: answer.status_code for name, answer in told.items() if name not in ANSWERS}
    assert set(refused.values()) == {403, 404}
    for name in ANSWERS & set(told):
        assert not [trace for trace in TRACES if trace in told[name].text], name
    with db.work_unit() as session:
        assert session.scalars(select(Project.slug).order_by(Project.slug)).all() == ["other", "project", "words"]
        assert session.scalars(select(Checkpoint.deleted_at)).all() == [None]
        assert session.scalars(select(CheckpointAlias.alias)).all() == ["candidate"]
        assert session.scalars(select(Run.note)).all() == [""]


def test_a_token_bound_to_the_project_reaches_as_far_as_one_without_bounds(place: Place):
    everywhere, bound = (token_client(place.people["admin"], *SCOPES, projects=bounds) for bounds in ((), ["words"]))
    of_the_place = {"GET /people", "GET /people/{user_id}", "GET /invitations", "GET /audit"}
    reading = [name for name in PROGRAMS if name.startswith(("GET", "HEAD")) and name not in of_the_place]
    for name in reading:
        both = [ask(caller, name, PROGRAMS[name], place, PREFIX).status_code for caller in (everywhere, bound)]
        assert both[0] == both[1], name
    for name, line in LIBRARIES.items():
        both = [ask(caller, name, line, place).status_code for caller in (everywhere, bound)]
        assert both[0] == both[1], name


def test_counts_of_what_waits_stop_at_the_bounds(place: Place):
    with db.work_unit() as session:
        dataset = session.get_one(Dataset, place.numbers["dataset"])
        trained.make_run(session, dataset, state="queued")
    everywhere, bound = (token_client(place.people["admin"], "read", projects=bounds) for bounds in ((), ["other"]))
    waiting = [
        next(queue["rows"] for queue in caller.get("/api/v1/trainers").json()["queues"] if queue["name"] == "train")
        for caller in (everywhere, bound)
    ]
    assert waiting == [1, 0]


def test_turns_and_judgments_beyond_the_bounds_are_not_there(ben: User):
    queued(ben, slug="words", items=1)
    queued(ben, slug="other", items=0)
    everywhere, bound = (token_client(ben, "judge", "read", projects=bounds) for bounds in ((), ["other"]))
    turn = everywhere.post("/api/v1/projects/words/next").json()["assignment"]
    key, tie = {"Idempotency-Key": uuid.uuid4().hex}, {"outcome": "tie"}
    for verb in ("renew", "release"):
        assert bound.post(f"/api/v1/assignments/{turn}/{verb}").status_code == 404
    assert bound.post(f"/api/v1/assignments/{turn}/judgment", json=tie, headers=key).status_code == 404
    said = everywhere.post(f"/api/v1/assignments/{turn}/judgment", json=tie, headers=key).json()["judgment"]["id"]
    for verb in ("revise", "withdraw"):
        assert bound.post(f"/api/v1/judgments/{said}/{verb}", json=tie, headers=key).status_code == 404
    assert everywhere.post(f"/api/v1/judgments/{said}/withdraw", headers={"Idempotency-Key": "two"}).status_code == 201


def test_a_manager_whose_token_is_bound_to_where_they_judge_manages_nothing(place: Place):
    dora = place.people["manager"]
    with db.work_unit() as session:
        other = session.scalars(select(Project.id).where(Project.slug == "other")).one()
        session.add(Membership(user_id=dora.id, project_id=other, role="annotator"))
    bound = token_client(dora, *SCOPES, projects=["other"])
    assert bound.get("/api/v1/datasets").status_code == 403
    assert [project["slug"] for project in bound.get("/api/v1/projects").json()] == ["other"]


@pytest.fixture
def trainable(place: Place) -> Place:
    """Another project of the admin's with a dataset of its own, and a trainer that takes runs."""
    with db.work_unit() as session:
        trained.make_trainer(session)
        trained.make_checkpoint(session, trained.make_run(session, checkpoint_name="starter", state="finished"))
        mine = trained.make_dataset(session, "mine")
        mine.project_id = session.scalars(select(Project.id).where(Project.slug == "other")).one()
    return place


def test_a_run_within_the_bounds_neither_starts_from_nor_asks_nor_publishes_over_what_is_of_others(trainable: Place):
    bound = token_client(trainable.people["admin"], "train", "read", projects=["other"])
    order = {"method": "dpo", "dataset": "mine", "base_model": "starter"}
    for wrong in ({"base_model": "pairs-dpo"}, {"base_model": "pairs-dpo@v1"}, {"name": "pairs-dpo"}):
        answer = bound.post("/api/v1/runs", json=order | wrong)
        assert (answer.status_code, answer.json()["field"]) in {(422, "base_model"), (409, "name")}, wrong
    everywhere = token_client(trainable.people["admin"], "train")
    assert everywhere.post("/api/v1/runs", json=order | {"base_model": "pairs-dpo"}).status_code == 202


def test_a_bound_run_takes_the_version_that_is_there_now(trainable: Place):
    with db.work_unit() as session:
        mine = session.scalars(select(Dataset).where(Dataset.name == "mine")).one()
        trained.make_checkpoint(session, trained.make_run(session, mine, state="finished", checkpoint_name="own"))
    bound = token_client(trainable.people["admin"], "train", projects=["other"])
    ordered = bound.post("/api/v1/runs", json={"method": "dpo", "dataset": "mine", "base_model": "own"})
    assert (ordered.status_code, ordered.json()["base_model"]) == (202, "own@v1")
    with db.work_unit() as session:
        assert session.get_one(Run, ordered.json()["id"]).project_ids == [mine.project_id]


def test_an_alias_of_others_is_not_moved(trainable: Place):
    with db.work_unit() as session:
        mine = session.scalars(select(Dataset).where(Dataset.name == "mine")).one()
        trained.make_checkpoint(session, trained.make_run(session, mine, state="finished"))
    bound = token_client(trainable.people["admin"], "train", "read", projects=["other"])
    moved = bound.put("/api/v1/checkpoints/pairs-dpo/aliases/candidate", json={"version": 2})
    assert moved.status_code == 409
    assert bound.put("/api/v1/checkpoints/pairs-dpo/aliases/candidate", json={"version": 1}).status_code == 404
    assert bound.put("/api/v1/checkpoints/pairs-dpo/aliases/ours", json={"version": 2}).status_code == 200
    assert [one["alias"] for one in bound.get("/api/v1/checkpoints/pairs-dpo/aliases").json()] == ["ours"]


def test_a_token_cannot_be_bound_to_nothing_or_to_what_its_user_does_not_see(ben: User, ben_browser: TestClient):
    queued(ben, slug="words", items=0)
    refused = ben_browser.post("/tokens", data={"scopes": ["read"], "projects": ["words", "secret"]})
    assert (refused.status_code, "no project of yours named secret" in refused.text) == (422, True)
    made = ben_browser.post("/tokens", data={"scopes": ["read"], "projects": ["words"]})
    assert made.status_code == 200
    with db.work_unit() as session:
        token = session.scalars(select(ApiToken)).one()
        assert token.project_ids == session.scalars(select(Project.id)).all()
        assert session.scalars(select(Item)).all() == []
        with pytest.raises(Exception, match="bound_to_something"), session.begin_nested():
            session.execute(update(ApiToken).values(project_ids=[]))
