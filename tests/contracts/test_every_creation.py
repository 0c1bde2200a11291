"""Every POST that makes something, sent twice with one Idempotency-Key: it makes it once and answers the same.

A new route takes `@once` below its own decorator, and is given its line in `CREATIONS`.
"""

from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import db
from app.idempotency import REPLAYED
from app.main import API
from app.models import Delivery, KeptAnswer, RunKeep, Table, User, Webhook
from app.models.api_token import SCOPES
from app.models.token_window import TokenWindow
from tests.conftest import token_client
from tests.judged import judged_pairs
from tests.trained import make_checkpoint, make_dataset, make_publication, make_run, make_trainer

HUB = {"repository": "ada/helpful", "token": "t"}
RUN = {"method": "dpo", "dataset": "pairs", "settings": {"max_steps": 4}}
# Each route with a request that makes something in `ready`.
CREATIONS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "/projects": ("/projects", {"slug": "new-one", "name": "New", "kind": "pair"}),
    "/people": ("/people", {"email": "dan@example.org", "role": "annotator"}),
    "/people/{user_id}/password": ("/people/{ben}/password", {}),
    "/invitations": ("/invitations", {}),
    "/projects/{slug}/members": ("/projects/pairs/members", {"email": "ben@example.org"}),
    "/projects/{slug}/invitations": ("/projects/pairs/invitations", {"note": "Dan"}),
    "/projects/{slug}/datasets": ("/projects/pairs/datasets", {"name": "some"}),
    "/runs": ("/runs", RUN),
    "/runs/preflight": ("/runs/preflight", RUN),
    "/runs/sweep": ("/runs/sweep", RUN | {"vary": {"seed": [1, 2]}}),
    "/runs/{run_id}/again": ("/runs/{run}/again", {"settings": {"seed": 7}}),
    "/runs/{run_id}/resume": ("/runs/{failed}/resume", None),
    "/runs/{run_id}/extend": ("/runs/{run}/extend", {"steps": 2}),
    "/webhooks": ("/webhooks", {"url": "https://1.1.1.1/hook", "events": ["dataset.ready"]}),
    "/webhooks/{webhook_id}/secret": ("/webhooks/{webhook}/secret", {}),
    "/webhooks/{webhook_id}/test": ("/webhooks/{webhook}/test", None),
    "/webhooks/{webhook_id}/deliveries/send": ("/webhooks/{webhook}/deliveries/send", None),
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/send": ("/webhooks/{webhook}/deliveries/{delivery}/send", None),
    "/checkpoints/{checkpoint_id}/publications": ("/checkpoints/{checkpoint}/publications", {"hub": HUB}),
    "/datasets/{dataset_id}/publications": ("/datasets/{dataset}/publications", {"hub": HUB}),
    "/publications/{publication_id}/retry": ("/publications/{publication}/retry", {"hub": {"token": "t"}}),
}
# These keep the key with the judgment, for as long as there is one; `tests/app/judgments` has their stories.
JUDGING = {
    "/assignments/{assignment_id}/judgment",
    "/judgments/{judgment_id}/revise",
    "/judgments/{judgment_id}/withdraw",
}
ABOUT_REQUESTS = {KeptAnswer, TokenWindow}


@pytest.fixture
def ready(ada: User, ben: User, silence: None) -> dict[str, int]:
    """A place where each of them works; the numbers in their paths."""
    with db.work_unit() as session:
        judged_pairs(session, 4)
        make_trainer(session)
        dataset = make_dataset(session)
        run = make_run(session, dataset, state="finished", checkpoint_name="starter")
        checkpoint = make_checkpoint(session, run)
        stopped = make_publication(session, checkpoint, state="failed")
        session.add(RunKeep(run_id=run.id, step=run.step, prefix="kept/run-1/1-40", files=[], told={}))
        failed = make_run(session, dataset, state="failed")
        hook = Webhook(url="https://1.1.1.1/hook", events=["dataset.ready"], secret=b"secret", owner_id=ada.id)
        session.add(hook)
        session.flush()
        told = Delivery(webhook_id=hook.id, event="dataset.ready", data={"id": dataset.id}, state="given_up")
        session.add(told)
        session.flush()
        numbers = {"run": run.id, "failed": failed.id, "ben": ben.id}
        things = {"checkpoint": checkpoint.id, "dataset": dataset.id, "publication": stopped.id}
        return numbers | things | {"webhook": hook.id, "delivery": told.id}


@pytest.fixture
def admin(ada: User) -> TestClient:
    return token_client(ada, *SCOPES)


def stored() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for what is noted of requests themselves."""
    about = {model.__table__.name for model in ABOUT_REQUESTS} | {"api_token"}
    with db.work_unit() as session:
        return {
            name: [tuple(row) for row in session.execute(text(f'SELECT * FROM "{name}" ORDER BY 1'))]
            for name in Table.metadata.tables
            if name not in about
        }


def creating() -> dict[str, APIRoute]:
    routes = [route for router in API for route in router.routes if isinstance(route, APIRoute)]
    return {route.path: route for route in routes if "POST" in route.methods and route.status_code in {201, 202}}


def test_every_route_that_makes_something_has_its_line():
    assert set(creating()) - JUDGING == set(CREATIONS), "a new one takes @once, and its line here"


@pytest.mark.parametrize("path", sorted(CREATIONS))
def test_it_is_made_once_however_often_it_is_sent(path: str, ready: dict[str, int], admin: TestClient):
    address, body = CREATIONS[path]
    address = f"/api/v1{address.format(**ready)}"
    before = stored()
    made = admin.post(address, json=body, headers={"Idempotency-Key": "one"})
    assert (made.status_code, REPLAYED in made.headers) == (creating()[path].status_code, False), made.text
    after = stored()
    assert after != before
    again = admin.post(address, json=body, headers={"Idempotency-Key": "one"})
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (made.status_code, made.content, "true")
    for name in ("location", "cache-control", "content-type"):
        assert again.headers.get(name) == made.headers.get(name)
    assert stored() == after
    other = admin.post(address, json={**(body or {}), "else": 1}, headers={"Idempotency-Key": "one"})
    assert other.status_code == 422
    assert stored() == after


def test_the_description_tells_of_the_key(nobody: TestClient):
    paths = nobody.get("/api/v1/openapi.json").json()["paths"]
    for path in creating():
        told = [one for one in paths[f"/api/v1{path}"]["post"]["parameters"] if one["name"] == "Idempotency-Key"]
        assert [one["in"] for one in told] == ["header"], path
        assert told[0]["description"]
