"""What whoever manages a project can do with one item, and that no judgment is lost by it."""

from uuid import UUID

import pytest
from sqlalchemy import text

from app import db
from app.errors import BadInput, BadJudgment, Conflict, NotFound
from app.kinds import Verdict
from app.models import Project, User
from app.prompts import items
from app.prompts.items import Managed, managed_item
from app.queue.service import expire
from tests.queued import (
    asked,
    claimed,
    judged,
    leases_run_out,
    person_of,
    queued,
    slots_that_do_not_add_up,
    undone,
    value,
    write,
)


def changed(ada: User, project: Project, verb: object, item_id: int = 1, **told: object) -> None:
    with db.work_unit() as session:
        managed = managed_item(session, person_of(ada), project, item_id)
        assert callable(verb)
        verb(managed, **told)


def first_is_best() -> Verdict:
    best, worst = (UUID(str(key)) for key in value("SELECT response_ids FROM item WHERE id = 1"))
    return Verdict("ranked", {best: 1, worst: 2})


def made_gold(ada: User, project: Project, *, is_training: bool = False) -> None:
    changed(ada, project, items.make_gold, answer=first_is_best(), is_training=is_training)


def told() -> list[str]:
    return value("SELECT array_agg(action ORDER BY id) FROM audit WHERE detail->>'item' = '1'") or []


def test_setting_aside_and_opening_again_are_written_down_once(ada: User, ben: User):
    project = queued(ben, items=1)
    for verb in (items.set_aside, items.set_aside, items.open_again, items.open_again):
        changed(ada, project, verb)
    assert told() == ["item.set_aside", "item.opened_again"]
    assert claimed(ben, project)


def test_an_urgent_item_comes_first_and_a_normal_one_takes_its_turn(ada: User, ben: User):
    project = queued(ben, items=30)
    changed(ada, project, items.set_priority, priority=items.URGENT)
    assert claimed(ben, project).reason == "urgent"
    changed(ada, project, items.set_priority, priority=None)
    assert 0 <= value("SELECT priority FROM item WHERE id = 1") < 1


@pytest.mark.parametrize("priority", [float("nan"), float("inf"), -1e300])
def test_a_priority_is_a_number(ada: User, priority: float):
    with pytest.raises(BadInput):
        changed(ada, queued(items=1), items.set_priority, priority=priority)


def test_a_reserved_item_wants_one_judgment_of_one_person(ada: User, ben: User, cleo: User):
    project = queued(ben, cleo, items=1, wanted=3)
    judged(cleo, claimed(cleo, project))
    changed(ada, project, items.reserve, user=ben)
    assert value("SELECT wanted FROM item") == 2
    assert asked(ada, project) is None
    judged(ben, claimed(ben, project))
    assert slots_that_do_not_add_up() == []
    changed(ada, project, items.unreserve)
    assert value("SELECT ARRAY[wanted, open_slots] FROM item") == [3, 1]
    assert slots_that_do_not_add_up() == []


def test_an_item_that_is_done_can_be_given_to_one_more_person(ada: User, ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    judged(cleo, claimed(cleo, project))
    changed(ada, project, items.reserve, user=ben)
    assert judged(ben, claimed(ben, project)).judgment["counted"]
    changed(ada, project, items.unreserve)
    assert slots_that_do_not_add_up() == []


@pytest.mark.parametrize("verdict", [{}, {"outcome": "skip"}], ids=["late work", "a skip that is undone"])
def test_what_is_reserved_is_not_taken_by_what_somebody_else_began_before(
    ada: User, ben: User, cleo: User, verdict: dict[str, str]
):
    project = queued(ben, cleo, items=1)
    turn = claimed(cleo, project)
    if verdict:
        skipped = judged(cleo, turn, **verdict)
        changed(ada, project, items.reserve, user=ben)
        undone(cleo, skipped)
    else:
        leases_run_out()
        with db.work_unit() as session:
            expire(session)
        changed(ada, project, items.reserve, user=ben)
    assert not judged(cleo, turn).judgment["counted"]
    assert judged(ben, claimed(ben, project)).judgment["counted"]
    assert slots_that_do_not_add_up() == []


def test_nothing_is_reserved_for_who_has_it_already_or_may_not_judge(ada: User, ben: User, cleo: User):
    project = queued(ben, items=1)
    claimed(ben, project)
    with pytest.raises(Conflict, match="nobody gets an item twice"):
        changed(ada, project, items.reserve, user=ben)
    with pytest.raises(BadInput, match="may not judge"):
        changed(ada, project, items.reserve, user=cleo)
    changed(ada, project, items.reserve, user=ada)


def test_what_was_said_about_an_item_stops_counting_when_it_becomes_gold_and_counts_when_it_is_ordinary_again(
    ada: User, ben: User, cleo: User
):
    project = queued(ben, cleo, items=1, wanted=2)
    judged(ben, claimed(ben, project))
    made_gold(ada, project)
    assert value("SELECT count(*) FROM preference WHERE is_current") == 0
    assert value("SELECT ARRAY[wanted, open_slots] FROM item") == [0, 0]
    assert slots_that_do_not_add_up() == []
    made_gold(ada, project, is_training=True)
    judged(cleo, claimed(cleo, project))
    assert value("SELECT count(*) FROM judgment WHERE counted") == 0
    changed(ada, project, items.make_ordinary)
    assert value("SELECT count(*) FROM judgment WHERE counted AND is_current") == 2
    assert value("SELECT count(*) FROM preference WHERE is_current") == 2
    assert slots_that_do_not_add_up() == []
    assert told() == ["item.made_gold", "item.made_gold", "item.made_ordinary"]


def test_judgments_beyond_the_number_wanted_keep_their_tuples_and_do_not_count(ada: User, ben: User, cleo: User):
    project = queued(ben, cleo, items=1, wanted=1)
    made_gold(ada, project, is_training=True)
    for user in (ben, cleo):
        judged(user, claimed(user, project))
    changed(ada, project, items.make_ordinary)
    assert value("SELECT array_agg(counted ORDER BY id) FROM judgment") == [True, False]
    assert value("SELECT count(*) FROM preference WHERE is_current") == 2
    assert slots_that_do_not_add_up() == []


@pytest.mark.parametrize("in_time", [True, False], ids=["in time", "late"])
def test_a_turn_that_is_open_while_its_item_becomes_gold_and_ordinary_again_is_kept(
    ada: User, ben: User, in_time: bool
):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    made_gold(ada, project)
    if not in_time:
        leases_run_out()
        with db.work_unit() as session:
            expire(session)
    changed(ada, project, items.make_ordinary)
    assert slots_that_do_not_add_up() == []
    assert judged(ben, turn).judgment["counted"]
    assert slots_that_do_not_add_up() == []


def test_a_judgment_from_before_can_be_undone_while_its_item_is_gold(ada: User, ben: User):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    stored = judged(ben, turn)
    made_gold(ada, project)
    undone(ben, stored)
    assert claimed(ben, project).assignment_id == turn.assignment_id
    judged(ben, turn)
    assert slots_that_do_not_add_up() == []


def test_an_item_is_not_made_gold_while_somebody_is_judging_it(ada: User, ben: User):
    project = queued(ben, items=1)
    claimed(ben, project)
    with db.work_unit() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(hashint8(1), hashint8(:ben))"), {"ben": ben.id})
        with pytest.raises(Conflict, match="at this very moment"):
            made_gold(ada, project)
    made_gold(ada, project)


def test_gold_takes_an_answer_that_the_project_takes(ada: User):
    project = queued(items=1)
    for answer in (Verdict("ranked", {}), Verdict("banana")):
        with pytest.raises(BadJudgment):
            changed(ada, project, items.make_gold, answer=answer, is_training=False)
    with pytest.raises(BadInput, match="no answer"):
        changed(ada, project, items.make_gold, answer=Verdict("skip"), is_training=False)


def test_gold_is_not_reserved_and_a_repeat_is_not_made_gold(ada: User, ben: User):
    project = queued(ben, items=2)
    made_gold(ada, project)
    with pytest.raises(BadInput, match="for everybody"):
        changed(ada, project, items.reserve, user=ben)
    write("UPDATE item SET wanted = 0, open_slots = 0, repeat_of = 1, reserved_for = :ben WHERE id = 2", ben=ben.id)
    with pytest.raises(BadInput, match="the item that it repeats"):
        changed(ada, project, items.make_gold, 2, answer=first_is_best(), is_training=False)


def test_an_item_of_another_project_is_not_there(ada: User):
    queued(items=1, slug="one")
    other = queued(items=1, slug="other")
    with db.work_unit() as session, pytest.raises(NotFound):
        managed_item(session, person_of(ada), other, 1)


def test_the_verbs_want_an_item_that_is_held(ada: User):
    project = queued(items=1)
    with db.work_unit() as session:
        managed = managed_item(session, person_of(ada), project, 1)
        assert isinstance(managed, Managed)
        held = session.execute(text("SELECT count(*) FROM pg_locks WHERE relation = 'item'::regclass")).scalar_one()
        assert held >= 1


def test_gold_that_a_crowd_has_put_in_order_can_be_ordinary_again(ada: User, ben: User):
    project = queued(ben, items=1, responses=12, gold_share=0)
    keys = value("SELECT response_ids FROM item")
    changed(ada, project, items.make_gold, answer=Verdict("tie", dict.fromkeys(keys, 1)), is_training=True)
    judged(ben, claimed(ben, project))
    write("""
        WITH crowd AS (
            INSERT INTO "user" (email, name, role, judge_kind)
            SELECT n || '@crowd.example', n, 'annotator', 'human' FROM generate_series(1, 150) AS n RETURNING id
        ), turn AS (
            INSERT INTO assignment (project_id, item_id, user_id, state, seed, shown_order, expires_at)
            SELECT project_id, item_id, crowd.id, state, seed, shown_order, expires_at FROM assignment, crowd
            RETURNING id, user_id
        )
        INSERT INTO judgment (
            project_id, assignment_id, item_id, user_id, judge_kind, outcome, tiers, client_key, counted)
        SELECT project_id, turn.id, item_id, turn.user_id, judge_kind, outcome, tiers, client_key, counted FROM judgment, turn
    """)
    changed(ada, project, items.make_ordinary)
    assert value("SELECT count(*) FROM preference WHERE is_current") == 151 * 66
    assert slots_that_do_not_add_up() == []
