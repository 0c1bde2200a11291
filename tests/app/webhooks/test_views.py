"""Webhooks in a browser, without a line of JavaScript."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.db import work_unit
from app.models import Membership, Project, User, Webhook
from app.webhooks.delivering import send_due
from tests.app.webhooks.hooked import deliveries, happened, hook, webhook
from tests.conftest import signed_in
from tests.queued import queued
from tests.receiver import Receiver

pytestmark = pytest.mark.usefixtures("loopback_allowed")
URL = "http://127.0.0.1:9/hook"
NEW: dict[str, Any] = {"url": URL, "events": ["dataset.ready"], "judgment_counts": "", "judgments_every": ""}


@pytest.fixture
def project(ben: User) -> Project:
    """Ben's."""
    found = queued(ben, items=0)
    with work_unit() as session:
        session.execute(update(Membership).values(role="manager"))
    return found


@pytest.fixture
def bens(ben: User, project: Project) -> TestClient:
    return signed_in(ben)


def only_webhook() -> Webhook:
    with work_unit() as session:
        return session.scalars(select(Webhook)).one()


def test_a_manager_makes_one_and_sees_its_secret_once(bens: TestClient):
    form = NEW | {"project": "words", "name": "Nightly", "events": ["dataset.ready", "judgments.reached"]}
    answer = bens.post("/webhooks", data=form | {"judgment_counts": "5 000, 100", "judgments_every": "1000"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert re.search(r'value="whsec_[A-Za-z0-9+/=]{44}"', answer.text)
    made = only_webhook()
    assert (made.judgment_counts, made.judgments_every) == ([100, 5000], 1000)
    page = bens.get(f"/webhooks/{made.id}").text
    assert "whsec_" not in page
    assert "100, 5,000; every 1,000" in page
    assert "Nightly" in bens.get("/webhooks").text
    assert bens.get(f"/webhooks/{made.id}/secret").headers["location"] == f"/webhooks/{made.id}"


def test_a_manager_is_offered_no_runs_and_no_whole_place(bens: TestClient, ada_browser: TestClient):
    form = bens.get("/webhooks/new").text
    assert "run.finished" not in form
    assert "the whole place" not in form
    assert "run.finished" in ada_browser.get("/webhooks/new").text
    assert bens.post("/webhooks", data=NEW | {"project": ""}).status_code == 422


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "http://10.0.0.1/hook"}, "10.0.0.1, which is not a public address"),
        ({"url": "example"}, "begins with https://"),
        ({"events": []}, "Name one event or more"),
        ({"judgment_counts": "a few"}, "please enter whole numbers"),
        ({"judgments_every": "3", "events": ["judgments.reached"]}, "is the most often"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_typed(ada_browser: TestClient, wrong: dict[str, Any], words: str):
    answer = ada_browser.post("/webhooks", data=NEW | {"name": "Nightly"} | wrong)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="Nightly"' in answer.text


def test_it_is_changed_paused_and_activated(ada: User, ada_browser: TestClient):
    one = hook(ada, URL)
    here = f"/webhooks/{one.id}"
    assert 'value="100"' in ada_browser.get(f"{here}/change").text
    assert ada_browser.post(f"{here}/change", data=NEW | {"name": "Other"}).headers["location"] == here
    assert (webhook(one.id).name, webhook(one.id).events) == ("Other", ["dataset.ready"])
    refused = ada_browser.post(f"{here}/change", data=NEW | {"url": "http://192.168.1.1/"})
    assert (refused.status_code, "192.168.1.1" in refused.text) == (422, True)
    ada_browser.post(f"{here}/state", data={"state": "paused"})
    assert "It is paused" in ada_browser.get(here).text
    ada_browser.post(f"{here}/state", data={"state": "active"})
    assert webhook(one.id).state == "active"


def test_a_test_is_sent_and_the_page_says_what_became_of_it(ada: User, ada_browser: TestClient, receiver: Receiver):
    receiver.will_answer(404)
    here = f"/webhooks/{hook(ada, receiver.url()).id}"
    assert ada_browser.post(f"{here}/test").headers["location"] == here
    assert 'hx-trigger="every 3s"' in ada_browser.get(f"{here}/deliveries").text
    send_due()
    told = ada_browser.get(f"{here}/deliveries").text
    assert "The answer was 404" in told
    assert "hx-trigger" not in told


def test_a_delivery_is_sent_again_and_all_that_were_given_up(ada: User, ada_browser: TestClient, receiver: Receiver):
    one = hook(ada, receiver.url())
    first, _second = happened(one, 2)
    with work_unit() as session:
        session.connection().exec_driver_sql("UPDATE delivery SET state = 'given_up'")
    here = f"/webhooks/{one.id}"
    assert "Try again all that were given up" in ada_browser.get(here).text
    ada_browser.post(f"{here}/deliveries/{first}/send")
    send_due()
    assert [row.state for row in deliveries(one)] == ["delivered", "given_up"]
    ada_browser.post(f"{here}/deliveries/send")
    assert "1 delivery is tried again." in ada_browser.get(here).text
    send_due()
    assert [row.state for row in deliveries(one)] == ["delivered", "delivered"]


def test_another_secret_is_shown_once(ada: User, ada_browser: TestClient):
    one = hook(ada, URL)
    answer = ada_browser.post(f"/webhooks/{one.id}/secret", data={"old_hours": "2"})
    assert "whsec_" in answer.text
    assert webhook(one.id).old_secret == one.secret


def test_it_is_deleted(ada: User, ada_browser: TestClient):
    one = hook(ada, URL)
    assert ada_browser.post(f"/webhooks/{one.id}/delete").headers["location"] == "/webhooks"
    assert "The webhook is deleted." in ada_browser.get("/webhooks").text


def test_why_one_was_switched_off_is_said_on_its_page(ada: User, ada_browser: TestClient):
    one = hook(ada, URL)
    for reason, words in (
        ("gone", "answered 410"),
        ("failing", "nothing has arrived for days"),
        ("owner", "no longer"),
    ):
        with work_unit() as session:
            session.execute(update(Webhook).values(state="off", off_reason=reason))
        assert words in ada_browser.get(f"/webhooks/{one.id}").text


def test_what_was_done_stands_in_the_history_of_the_project(bens: TestClient, ada_browser: TestClient):
    bens.post("/webhooks", data=NEW | {"project": "words"})
    ada_browser.post("/webhooks", data=NEW)
    history = bens.get("/projects/words/history").text
    assert "made webhook 1, which tells 127.0.0.1" in history
    assert "webhook 2" not in history
