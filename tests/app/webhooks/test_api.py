"""Webhooks for programs."""

import base64
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.db import work_unit
from app.models import Audit, Membership, Project, User, Webhook
from app.webhooks.backoff import MOST_TRIES
from app.webhooks.delivering import send_due
from tests.app.webhooks.hooked import happened, webhook
from tests.conftest import token_client
from tests.queued import queued
from tests.receiver import Receiver

pytestmark = pytest.mark.usefixtures("loopback_allowed")
URL = "http://127.0.0.1:9/hook"
NEW = {"url": URL, "events": ["dataset.ready"]}


@pytest.fixture
def project(ben: User) -> Project:
    """Ben's."""
    found = queued(ben, items=0)
    with work_unit() as session:
        session.execute(update(Membership).values(role="manager"))
    return found


@pytest.fixture
def bens(ben: User, project: Project) -> TestClient:
    return token_client(ben, "read", "admin")


def made(api: TestClient, **told: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/webhooks", json=NEW | told)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_admin_makes_one_for_the_whole_place_and_is_told_its_secret_once(ada_api: TestClient):
    events = ["run.finished", "dataset.ready", "run.finished"]
    answer = ada_api.post("/api/v1/webhooks", json={"url": URL, "events": events, "name": " Nightly  loop "})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["project"], told["name"], told["state"]) == (None, "Nightly loop", "active")
    assert told["events"] == ["dataset.ready", "run.finished"]
    secret = told.pop("secret")
    assert base64.b64decode(secret.removeprefix("whsec_")) == webhook(told["id"]).secret
    assert ada_api.get(f"/api/v1/webhooks/{told['id']}").json() == told
    assert ada_api.get("/api/v1/webhooks").json() == [told]


def test_a_manager_makes_one_for_their_project_and_sees_no_other(ada_api: TestClient, bens: TestClient):
    of_place = made(ada_api)
    mine = made(bens, project="words", events=["judgments.reached"], judgment_counts=[500, 100], judgments_every=50)
    assert (mine["project"], mine["judgment_counts"], mine["judgments_every"]) == ("words", [100, 500], 50)
    assert [one["id"] for one in bens.get("/api/v1/webhooks").json()] == [mine["id"]]
    assert [one["id"] for one in ada_api.get("/api/v1/webhooks").json()] == [mine["id"], of_place["id"]]
    assert [one["id"] for one in ada_api.get("/api/v1/webhooks?project=words").json()] == [mine["id"]]
    assert bens.get(f"/api/v1/webhooks/{of_place['id']}").status_code == 404


def test_a_manager_hears_nothing_of_runs_and_of_the_whole_place(bens: TestClient):
    whole = bens.post("/api/v1/webhooks", json=NEW)
    assert whole.status_code == 403
    runs = bens.post("/api/v1/webhooks", json=NEW | {"project": "words", "events": ["run.finished"]})
    assert (runs.status_code, runs.json()["field"]) == (422, "events")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "nothing"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["dataset.eaten"]}, "events"),
        ({"name": "x" * 101}, "name"),
        ({"events": ["judgments.reached"]}, "judgment_counts"),
        ({"events": ["judgments.reached"], "judgment_counts": list(range(1, 30))}, "judgment_counts"),
        ({"events": ["judgments.reached"], "judgments_every": 9}, "judgments_every"),
    ],
)
def test_what_is_wrong_is_named(ada_api: TestClient, wrong: dict[str, Any], field: str):
    answer = ada_api.post("/api/v1/webhooks", json=NEW | wrong)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_it_is_changed_field_by_field(ada_api: TestClient):
    key = made(ada_api)["id"]
    changed = ada_api.patch(f"/api/v1/webhooks/{key}", json={"name": "Other", "events": ["run.failed"]}).json()
    assert (changed["name"], changed["events"], changed["url"]) == ("Other", ["run.failed"], URL)
    refused = ada_api.patch(f"/api/v1/webhooks/{key}", json={"url": "http://192.168.0.1/"})
    assert (refused.status_code, refused.json()["field"]) == (422, "url")
    assert ada_api.patch(f"/api/v1/webhooks/{key}", json={"secret": "mine"}).status_code == 422


def test_it_is_paused_and_activated_and_belongs_to_whoever_did_that(ada_api: TestClient, bens: TestClient):
    key = made(bens, project="words")["id"]
    assert ada_api.patch(f"/api/v1/webhooks/{key}", json={"state": "paused"}).json()["state"] == "paused"
    again = ada_api.patch(f"/api/v1/webhooks/{key}", json={"state": "active"}).json()
    assert (again["state"], again["owner"]) == ("active", "Ada")


def test_a_test_is_sent_once_also_while_it_is_paused(ada_api: TestClient, receiver: Receiver):
    receiver.will_answer(500)
    key = made(ada_api, url=receiver.url())["id"]
    ada_api.patch(f"/api/v1/webhooks/{key}", json={"state": "paused"})
    answer = ada_api.post(f"/api/v1/webhooks/{key}/test")
    assert (answer.status_code, answer.json()["state"], answer.json()["event"]) == (202, "waiting", "webhook.test")
    send_due()
    [row] = ada_api.get(f"/api/v1/webhooks/{key}/deliveries").json()
    assert (row["state"], row["status_code"], row["attempts"], row["next_attempt_at"]) == ("given_up", 500, 1, None)
    assert row["error"] == "The answer was 500; one from 200 to 299 says that it arrived."
    assert ada_api.get(f"/api/v1/webhooks/{key}").json()["failing_since"] is None


def test_a_delivery_is_sent_again_with_the_same_id(ada_api: TestClient, receiver: Receiver):
    key = made(ada_api, url=receiver.url())["id"]
    [number] = happened(webhook(key))
    send_due()
    answer = ada_api.post(f"/api/v1/webhooks/{key}/deliveries/{number}/send")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    send_due()
    first, second = receiver.received
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    row = ada_api.get(f"/api/v1/webhooks/{key}/deliveries/{number}").json()
    assert (row["state"], row["attempts"], row["message_id"]) == ("delivered", 2, first.headers["webhook-id"])


def test_all_that_were_given_up_are_tried_again_together(ada_api: TestClient, receiver: Receiver):
    key = made(ada_api, url=receiver.url())["id"]
    happened(webhook(key), 3)
    with work_unit() as session:
        session.connection().exec_driver_sql(f"UPDATE delivery SET state = 'given_up', tries = {MOST_TRIES}")
    assert len(ada_api.get(f"/api/v1/webhooks/{key}/deliveries?state=given_up").json()) == 3
    answer = ada_api.post(f"/api/v1/webhooks/{key}/deliveries/send")
    assert (answer.status_code, answer.json()) == (202, {"deliveries": 3})
    send_due()
    assert len(receiver.received) == 3


def test_deliveries_come_page_by_page_the_newest_first(ada_api: TestClient):
    key = made(ada_api)["id"]
    one, two, three = happened(webhook(key), 3)
    first = ada_api.get(f"/api/v1/webhooks/{key}/deliveries?limit=2")
    assert [row["id"] for row in first.json()] == [three, two]
    rest = ada_api.get(first.links["next"]["url"])
    assert [row["id"] for row in rest.json()] == [one]


def test_a_delivery_of_another_webhook_is_not_there(ada_api: TestClient):
    mine, other = made(ada_api)["id"], made(ada_api)["id"]
    [number] = happened(webhook(other))
    assert ada_api.get(f"/api/v1/webhooks/{mine}/deliveries/{number}").status_code == 404
    assert ada_api.post(f"/api/v1/webhooks/{mine}/deliveries/{number}/send").status_code == 404


def test_it_gets_another_secret(ada_api: TestClient):
    one = made(ada_api)
    answer = ada_api.post(f"/api/v1/webhooks/{one['id']}/secret", json={"old_hours": 2})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["secret"] not in {"", one["secret"]}
    assert ada_api.get(f"/api/v1/webhooks/{one['id']}").json()["old_secret_until"]
    ada_api.post(f"/api/v1/webhooks/{one['id']}/secret", json={"old_hours": 0})
    assert ada_api.get(f"/api/v1/webhooks/{one['id']}").json()["old_secret_until"] is None
    assert ada_api.post(f"/api/v1/webhooks/{one['id']}/secret", json={"old_hours": 1000}).status_code == 422


def test_it_is_deleted_with_what_it_was_told_and_the_audit_remembers(ada_api: TestClient, bens: TestClient):
    key = made(bens, project="words", url=URL + "?key=secret")["id"]
    happened(webhook(key))
    bens.patch(f"/api/v1/webhooks/{key}", json={"state": "paused"})
    assert bens.delete(f"/api/v1/webhooks/{key}").status_code == 204
    assert bens.get(f"/api/v1/webhooks/{key}").status_code == 404
    with work_unit() as session:
        assert session.scalars(select(Webhook)).all() == []
        audits = session.scalars(select(Audit).where(Audit.action.startswith("webhook.")).order_by(Audit.id)).all()
    assert [one.action for one in audits] == ["webhook.made", "webhook.paused", "webhook.deleted"]
    assert {one.subject for one in audits} == {"words"}
    assert all("secret" not in str(one.detail) for one in audits)


def test_an_admins_token_that_is_bound_to_a_project_reaches_no_further(
    ada: User, ada_api: TestClient, project: Project
):
    of_place, of_words = made(ada_api)["id"], made(ada_api, project="words")["id"]
    bound = token_client(ada, "read", "admin", projects=["words"])
    assert [one["id"] for one in bound.get("/api/v1/webhooks").json()] == [of_words]
    assert bound.patch(f"/api/v1/webhooks/{of_place}", json={"url": URL}).status_code == 404
    assert bound.post("/api/v1/webhooks", json=NEW).status_code == 403
