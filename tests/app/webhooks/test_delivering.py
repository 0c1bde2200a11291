"""The job, run for real against a real server: what is due is sent, tried again, given up, and kept from others."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, update

from app import doorbell, jobs
from app.db import work_unit
from app.models import Audit, Delivery, Membership, User, Webhook
from app.webhooks import delivering, service
from app.webhooks.backoff import MOST_TRIES
from app.webhooks.delivering import PORTION, claim, note, send_due
from app.webhooks.sending import Outcome
from tests.app.webhooks.hooked import (
    deliveries,
    delivery,
    happened,
    hook,
    person,
    seconds_between_attempts,
    wait_is_over,
    webhook,
)
from tests.queued import queued
from tests.receiver import Receiver, listening

pytestmark = pytest.mark.usefixtures("silence", "loopback_allowed")


def right(secret: bytes, headers: dict[str, str], body: bytes) -> list[bool]:
    """Whether each signature of a message was made with this secret, reckoned here once more."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return [one == f"v1,{wanted}" for one in headers["webhook-signature"].split(" ")]


def test_what_happened_arrives_signed_with_the_place_where_it_is(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    [key] = happened(one)
    jobs.deliver(key)
    [got] = receiver.received
    told = json.loads(got.body)
    assert told["type"] == "dataset.ready"
    assert told["data"]["url"] == "https://tiebreak.example.org/api/v1/datasets/1"
    assert told["data"]["name"] == "words"
    row = delivery(key)
    assert told["timestamp"] == row.happened_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert got.headers["webhook-id"] == row.message_id
    assert right(one.secret, got.headers, got.body) == [True]
    assert (row.state, row.status_code, row.attempts, row.error) == ("delivered", 204, 1, "")
    assert row.duration_ms is not None


def test_what_arrived_is_not_sent_again(ada: User, receiver: Receiver):
    happened(hook(ada, receiver.url()))
    assert [send_due(), send_due()] == [1, 0]
    assert len(receiver.received) == 1


def test_what_did_not_arrive_is_tried_again_later_and_later_with_the_same_id_and_body(ada: User, receiver: Receiver):
    receiver.will_answer(500, 503, 204)
    [key] = happened(hook(ada, receiver.url()))
    send_due()
    first = delivery(key)
    assert (first.state, first.error, first.status_code, first.attempts) == ("waiting", "status", 500, 1)
    assert 4 <= seconds_between_attempts(first) < 60
    wait_is_over()
    send_due()
    assert 16 <= seconds_between_attempts(delivery(key)) < 64
    wait_is_over()
    send_due()
    last = delivery(key)
    assert (last.state, last.error, last.attempts) == ("delivered", "", 3)
    assert len({(one.headers["webhook-id"], one.body) for one in receiver.received}) == 1


def test_a_receiver_that_says_how_long_to_wait_is_left_alone_for_so_long(ada: User, receiver: Receiver):
    receiver.will_answer(429, Retry_After="3600")
    [key] = happened(hook(ada, receiver.url()))
    send_due()
    assert 3600 <= seconds_between_attempts(delivery(key)) < 4800


def test_after_the_last_attempt_it_is_given_up_and_the_webhook_goes_on(ada: User, receiver: Receiver):
    receiver.will_answer(500)
    one = hook(ada, receiver.url())
    [key] = happened(one)
    for _ in range(MOST_TRIES):
        wait_is_over()
        assert send_due() == 1
    wait_is_over()
    assert send_due() == 0
    assert (delivery(key).state, delivery(key).attempts) == ("given_up", MOST_TRIES)
    assert webhook(one.id).state == "active"
    assert webhook(one.id).failing_since is not None


def last_try_fails(one: Webhook, receiver: Receiver, *, days: float) -> None:
    receiver.will_answer(500)
    happened(one)
    send_due()
    with work_unit() as session:
        session.execute(update(Delivery).values(tries=MOST_TRIES - 1))
    wait_is_over(days=days)
    send_due()


def test_a_webhook_that_fails_for_days_is_switched_off_with_the_reason(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    last_try_fails(one, receiver, days=3.1)
    assert (webhook(one.id).state, webhook(one.id).off_reason) == ("off", "failing")
    with work_unit() as session:
        audit = session.query(Audit).filter_by(action="webhook.switched_off").one()
    assert audit.detail == {"webhook": one.id, "reason": "failing"}
    assert audit.user_id is None


def test_one_that_has_failed_for_less_is_not_switched_off(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    last_try_fails(one, receiver, days=2.9)
    assert webhook(one.id).state == "active"


def test_something_that_arrives_ends_the_time_of_failing(ada: User, receiver: Receiver):
    receiver.will_answer(500, 204)
    one = hook(ada, receiver.url())
    happened(one)
    send_due()
    assert webhook(one.id).failing_since is not None
    wait_is_over()
    send_due()
    assert webhook(one.id).failing_since is None


def test_a_receiver_that_wants_no_more_is_not_asked_again(ada: User, receiver: Receiver):
    receiver.will_answer(410)
    one = hook(ada, receiver.url())
    [key] = happened(one)
    send_due()
    assert delivery(key).state == "given_up"
    assert (webhook(one.id).state, webhook(one.id).off_reason) == ("off", "gone")


def test_an_address_that_was_open_when_the_webhook_was_made_is_looked_at_again(
    ada: User, receiver: Receiver, names: Callable[[str, list[str]], list[str]]
):
    asked = names("hook.example", ["127.0.0.1", "10.0.0.1"])
    [key] = happened(hook(ada, receiver.url(host="hook.example")))
    send_due()
    row = delivery(key)
    assert (row.state, row.error, row.error_detail) == ("waiting", "refused", "10.0.0.1")
    assert receiver.received == []
    assert asked == ["hook.example"] * 2


def test_what_happens_while_a_webhook_is_paused_waits_for_it(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    with work_unit() as session:
        service.pause(session, person(ada), session.get_one(Webhook, one.id))
    happened(one, 3)
    assert send_due() == 0
    jobs.sweep()
    assert doorbell.messages_waiting("app") == 0
    with work_unit() as session:
        service.activate(session, person(ada), session.get_one(Webhook, one.id))
    assert doorbell.messages_waiting("app") == 1
    assert send_due() == 3
    assert [json.loads(one.body)["data"]["id"] for one in receiver.received].count(1) == 1


def test_a_message_that_was_lost_is_made_up_for_by_the_sweep(ada: User, receiver: Receiver):
    happened(hook(ada, receiver.url()))
    jobs.sweep()
    jobs.sweep()
    assert doorbell.messages_waiting("app") == 1


def test_the_job_rings_again_while_there_is_more_so_that_the_sweep_has_its_turn(ada: User, receiver: Receiver):
    for _ in range(5):
        happened(hook(ada, receiver.url()), 5)
    jobs.deliver(1)
    assert len(receiver.received) == PORTION
    assert doorbell.messages_waiting("app") == 1
    while send_due():
        pass
    assert len(receiver.received) == 25


def test_a_webhook_that_fails_takes_one_place_and_leaves_the_others_theirs(ada: User, receiver: Receiver):
    with listening() as broken:
        broken.will_answer(500)
        bad, good = hook(ada, broken.url()), hook(ada, receiver.url())
        happened(bad, 1)
        send_due()
        wait_is_over()
        happened(bad, 30)
        happened(good, 4)
        assert send_due() == 5
        assert (len(broken.received), len(receiver.received)) == (2, 4)


def test_two_workers_never_take_the_same(ada: User, receiver: Receiver):
    ids = [key for _ in range(4) for key in happened(hook(ada, receiver.url()), 8)]
    with ThreadPoolExecutor(4) as pool:
        taken = [one.delivery.id for found in pool.map(lambda _: claim(), range(8)) for one in found]
    while found := claim():
        taken += [one.delivery.id for one in found]
    assert sorted(taken) == ids


def test_what_a_worker_took_that_died_is_due_again_after_a_minute(ada: User, receiver: Receiver):
    [key] = happened(hook(ada, receiver.url()))
    assert [one.delivery.id for one in claim()] == [key]
    assert seconds_between_attempts(delivery(key)) == 60
    wait_is_over()
    assert send_due() == 1
    assert (delivery(key).state, delivery(key).attempts) == ("delivered", 2)


def test_a_worker_that_comes_back_too_late_notes_nothing(ada: User, receiver: Receiver):
    [key] = happened(hook(ada, receiver.url()))
    [slow] = claim()
    wait_is_over()
    assert send_due() == 1
    note(slow.delivery, Outcome("too_slow", "10"))
    assert (delivery(key).state, delivery(key).error) == ("delivered", "")
    assert webhook(slow.delivery.webhook_id).failing_since is None


def test_for_a_time_messages_are_signed_with_the_old_secret_too(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    with work_unit() as session:
        service.rotate_secret(session, person(ada), session.get_one(Webhook, one.id), old_hours=24)
    happened(one)
    send_due()
    fresh = webhook(one.id).secret
    got = receiver.received[-1]
    assert right(fresh, got.headers, got.body) == [True, False]
    assert right(one.secret, got.headers, got.body) == [False, True]
    with work_unit() as session:
        session.execute(update(Webhook).values(old_secret_until=func.now() - timedelta(seconds=1)))
    happened(one)
    send_due()
    got = receiver.received[-1]
    assert right(fresh, got.headers, got.body) == [True]


def test_a_secret_that_leaked_signs_nothing_any_more(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    with work_unit() as session:
        service.rotate_secret(session, person(ada), session.get_one(Webhook, one.id), old_hours=0)
    happened(one)
    send_due()
    got = receiver.received[-1]
    assert right(one.secret, got.headers, got.body) == [False]


def test_a_manager_who_leaves_is_told_nothing_more(ada: User, ben: User, receiver: Receiver):
    project = queued(ben, items=0)
    with work_unit() as session:
        session.execute(update(Membership).values(role="manager"))
    one = hook(ben, receiver.url(), project=project)
    with work_unit() as session:
        session.execute(update(Membership).values(role="annotator"))
    happened(one)
    assert send_due() == 0
    assert (webhook(one.id).state, webhook(one.id).off_reason) == ("off", "owner")
    with work_unit() as session:
        service.activate(session, person(ada), session.get_one(Webhook, one.id))
    assert send_due() == 1


def test_an_admin_who_is_shut_out_is_told_nothing_more(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    with work_unit() as session:
        session.execute(update(User).values(disabled_at=func.now()))
    happened(one)
    assert send_due() == 0
    assert webhook(one.id).off_reason == "owner"


def test_deliveries_are_forgotten_after_a_month(ada: User, receiver: Receiver):
    one = hook(ada, receiver.url())
    _old, kept = happened(one, 2)
    with work_unit() as session:
        days = timedelta(days=delivering.KEPT_DAYS, hours=1)
        session.execute(update(Delivery).where(Delivery.id != kept).values(happened_at=func.now() - days))
    jobs.sweep()
    assert [row.id for row in deliveries(one)] == [kept]
