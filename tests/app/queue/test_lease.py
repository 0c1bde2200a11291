"""Keeping a turn while its page is open, taking it up again, giving it back."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import db
from app.errors import Conflict, NotFound
from app.models import User
from app.queue.service import expire, renew
from tests.queued import (
    asked,
    claimed,
    judged,
    leases_run_out,
    make_gold,
    queued,
    slots_that_do_not_add_up,
    value,
    write,
)


def renewed(user: User, assignment_id: int) -> datetime:
    with db.work_unit() as session:
        return renew(session, user.id, assignment_id)


def run_out() -> None:
    leases_run_out()
    with db.work_unit() as session:
        expire(session)


def test_it_keeps_a_turn_for_the_projects_time_from_now(ben: User):
    turn = claimed(ben, queued(ben, lease_minutes=20))
    write("UPDATE assignment SET expires_at = now() + interval '1 minute'")
    until = renewed(ben, turn.assignment_id)
    assert timedelta(minutes=19) < until - datetime.now(UTC) <= timedelta(minutes=20)
    assert value("SELECT expires_at FROM assignment") == until
    assert slots_that_do_not_add_up() == []


def test_it_takes_up_a_turn_that_ran_out_while_its_slot_is_free(ben: User):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    run_out()
    renewed(ben, turn.assignment_id)
    assert value("SELECT open_slots FROM item") == 0
    assert claimed(ben, project).assignment_id == turn.assignment_id
    assert slots_that_do_not_add_up() == []


def test_it_says_that_a_turn_is_over_when_somebody_else_has_it(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    turn = claimed(ben, project)
    run_out()
    claimed(cleo, project)
    with pytest.raises(Conflict, match="this turn is over"):
        renewed(ben, turn.assignment_id)
    stored = judged(ben, turn)
    assert stored.judgment["counted"] is False, "kept all the same"
    assert slots_that_do_not_add_up() == []


def test_it_gives_nobody_a_second_turn(ben: User):
    project = queued(ben, items=9)
    first = claimed(ben, project)
    run_out()
    while (second := claimed(ben, project)).item_id == first.item_id:
        run_out()
    with pytest.raises(Conflict):
        renewed(ben, first.assignment_id)
    assert claimed(ben, project).assignment_id == second.assignment_id
    assert slots_that_do_not_add_up() == []


def test_it_takes_up_nothing_that_is_set_aside_or_reserved_for_another(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    turn = claimed(ben, project)
    run_out()
    for change in ("set_aside = true", "set_aside = false, reserved_for = :cleo"):
        write(f"UPDATE item SET {change}", **({"cleo": cleo.id} if "cleo" in change else {}))
        with pytest.raises(Conflict):
            renewed(ben, turn.assignment_id)
    assert slots_that_do_not_add_up() == []


def test_it_renews_gold_without_slots(ben: User):
    project = queued(ben, items=1, gold_share=0)
    make_gold(1, training=True)
    turn = claimed(ben, project)
    run_out()
    renewed(ben, turn.assignment_id)
    assert value("SELECT state FROM assignment") == "open"
    assert slots_that_do_not_add_up() == []


def test_a_sweep_does_not_wait_for_an_item_that_somebody_holds(ben: User, cleo: User):
    project = queued(ben, cleo, items=2)
    turns = [claimed(ben, project), claimed(cleo, project)]
    leases_run_out()
    with db.work_unit() as importing, db.work_unit() as sweep:
        importing.execute(text("SELECT FROM item WHERE id = :id FOR NO KEY UPDATE"), {"id": turns[0].item_id})
        assert expire(sweep) == 1
    with db.work_unit() as session:
        assert expire(session) == 1
    assert slots_that_do_not_add_up() == []


def test_it_renews_nothing_that_is_judged(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    judged(ben, turn)
    with pytest.raises(Conflict):
        renewed(ben, turn.assignment_id)


def test_it_renews_for_nobody_else_nor_for_who_left_the_project(ben: User, cleo: User):
    turn = claimed(ben, queued(ben, cleo, items=1))
    with pytest.raises(NotFound):
        renewed(cleo, turn.assignment_id)
    write("DELETE FROM membership")
    with pytest.raises(NotFound):
        renewed(ben, turn.assignment_id)


def test_programs_renew_and_release(ben: User, ben_api: TestClient):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    answer = ben_api.post(f"/api/v1/assignments/{turn.assignment_id}/renew")
    assert answer.status_code == 200
    assert datetime.fromisoformat(answer.json()["expires_at"]) > datetime.now(UTC)
    assert ben_api.post(f"/api/v1/assignments/{turn.assignment_id}/release").status_code == 204
    assert value("SELECT open_slots FROM item") == 1
    assert asked(ben, project)


@pytest.mark.parametrize("verb", ["renew", "release"])
def test_a_stranger_does_neither(ben: User, cleo_api: TestClient, nobody: TestClient, verb: str):
    turn = claimed(ben, queued(ben, items=1))
    address = f"/api/v1/assignments/{turn.assignment_id}/{verb}"
    assert cleo_api.post(address).status_code == 404
    assert nobody.post(address).status_code == 401
    assert value("SELECT state FROM assignment") == "open"


@pytest.mark.parametrize("verb", ["renew", "release"])
def test_it_is_a_conflict_or_not_there_once_judged(ben: User, ben_api: TestClient, verb: str):
    turn = claimed(ben, queued(ben, items=1))
    judged(ben, turn)
    answer = ben_api.post(f"/api/v1/assignments/{turn.assignment_id}/{verb}")
    assert answer.status_code == {"renew": 409, "release": 404}[verb]
    assert answer.headers["content-type"] == "application/problem+json"
