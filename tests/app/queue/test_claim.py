"""Who judges what next."""

import time
from collections import Counter

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app import db
from app.errors import NotFound
from app.models import User
from app.queue.service import claim, expire, release
from tests.queued import asked, claimed, judged, leases_run_out, queued, slots_that_do_not_add_up, value


def test_it_gives_the_same_turn_until_it_is_judged(ben: User):
    project = queued(ben, items=20)
    first = claimed(ben, project)
    again = claimed(ben, project)
    assert (again.assignment_id, again.item_id, again.responses) == (
        first.assignment_id,
        first.item_id,
        first.responses,
    )
    judged(ben, first)
    assert claimed(ben, project).item_id != first.item_id


def test_it_shows_the_prompt_and_the_texts_that_belong_to_the_ids(ben: User):
    turn = claimed(ben, queued(ben, items=1, responses=4))
    assert turn.prompt == [{"role": "user", "content": "words 0"}]
    stored = value("SELECT jsonb_object_agg(id, text) FROM response")
    assert dict(turn.responses) == stored
    assert len(turn.responses) == 4


def test_it_says_that_nothing_is_left(ben: User):
    project = queued(ben, items=2)
    for _ in range(2):
        turn = claimed(ben, project)
        judged(ben, turn)
    assert asked(ben, project) is None


def test_it_gives_no_more_turns_than_judgments_are_wanted(ada: User, ben: User, cleo: User):
    project = queued(ada, ben, cleo, items=1, wanted=2)
    turns = [asked(user, project) for user in (ada, ben, cleo)]
    assert [turn is not None for turn in turns] == [True, True, False]


def test_it_takes_a_slot_for_a_turn_and_once_only(ben: User):
    project = queued(ben, items=1, wanted=3)
    claimed(ben, project)
    claimed(ben, project)
    assert value("SELECT open_slots FROM item") == 2
    assert slots_that_do_not_add_up() == []


def test_it_keeps_projects_apart(ben: User):
    here, there = queued(ben, slug="here"), queued(ben, slug="there")
    first, second = claimed(ben, here), claimed(ben, there)
    assert first.prompt[0]["content"].startswith("here")
    assert second.prompt[0]["content"].startswith("there")


def test_it_gives_urgent_items_first(ben: User):
    project = queued(ben, items=30)
    with db.work_unit() as session:
        session.execute(text("UPDATE item SET priority = -id WHERE id IN (7, 11)"))
    order = []
    for _ in range(3):
        turn = claimed(ben, project)
        judged(ben, turn)
        order.append(turn.item_id)
    assert order[:2] == [11, 7]
    assert order[2] not in {7, 11}


def test_people_do_not_crowd_at_the_head_of_the_queue(ben: User):
    project = queued(ben, items=100, wanted=5)
    started = set()
    for _ in range(5):
        turn = claimed(ben, project)
        started.add(turn.item_id)
        with db.work_unit() as session:
            release(session, ben.id, turn.assignment_id)
    assert len(started) > 1, "five starts at the same of a hundred items happen once in 100 million runs"


def test_it_reaches_every_item_wherever_it_starts(ben: User):
    project = queued(ben, items=25)
    seen = set()
    while turn := asked(ben, project):
        judged(ben, turn)
        seen.add(turn.item_id)
    assert len(seen) == 25


def test_it_gives_the_slot_back_when_the_lease_expires(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    claimed(ben, project)
    assert asked(cleo, project) is None
    leases_run_out()
    with db.work_unit() as session:
        assert expire(session) == 1
    assert claimed(cleo, project)
    assert slots_that_do_not_add_up() == []


def test_it_expires_many_at_once_and_none_twice(ada: User, ben: User, cleo: User):
    project = queued(ada, ben, cleo, items=1, wanted=3)
    for user in (ada, ben, cleo):
        claimed(user, project)
    leases_run_out()
    with db.work_unit() as session:
        assert (expire(session), expire(session)) == (3, 0)
    assert value("SELECT open_slots FROM item") == 3


def test_a_lease_that_ran_out_unswept_is_renewed_for_who_comes_back(ben: User):
    project = queued(ben, items=9)
    first = claimed(ben, project)
    leases_run_out()
    again = claimed(ben, project)
    with db.work_unit() as session:
        assert expire(session) == 0
    assert again.assignment_id == first.assignment_id


def test_an_expired_turn_does_not_keep_its_person_from_the_item(ben: User):
    project = queued(ben, items=1, responses=5)
    first = claimed(ben, project)
    leases_run_out()
    with db.work_unit() as session:
        expire(session)
    again = claimed(ben, project)
    assert again.assignment_id == first.assignment_id
    assert again.responses == first.responses
    assert slots_that_do_not_add_up() == []


def test_it_gives_back_what_is_released(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    turn = claimed(ben, project)
    with db.work_unit() as session:
        release(session, ben.id, turn.assignment_id)
    assert slots_that_do_not_add_up() == []
    assert claimed(cleo, project)


def test_nobody_releases_what_is_not_theirs_or_over(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    turn = claimed(ben, project)
    with db.work_unit() as session, pytest.raises(NotFound):
        release(session, cleo.id, turn.assignment_id)
    judged(ben, turn)
    with db.work_unit() as session, pytest.raises(NotFound):
        release(session, ben.id, turn.assignment_id)
    assert slots_that_do_not_add_up() == []


def test_a_transaction_that_dies_leaks_no_slot(ben: User):
    project = queued(ben, items=1)
    with Session(db.engine()) as session:
        assert claim(session, ben.id, project.id)
        session.connection().invalidate()  # as when the process is killed: the socket closes, nothing is said
    deadline = time.monotonic() + 120
    while value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert value("SELECT open_slots FROM item") == 1
    assert claimed(ben, project)


def test_the_order_is_drawn_anew_for_each_person(database: Engine):
    project = queued(items=1, responses=3, wanted=120)
    with db.work_unit() as session:
        session.execute(
            text("""INSERT INTO "user" (email, name, role, judge_kind)
                SELECT n || '@example.org', 'n', 'annotator', 'human' FROM generate_series(1, 120) AS n""")
        )
        turns = [claim(session, number, project.id) for number in range(1, 121)]
    orders = Counter(tuple(key for key, _ in turn.responses) for turn in turns if turn)
    assert len(orders) == 6
    assert min(orders.values()) >= 3, "each of six orders about 20 times; below 3 once in a million runs"


def test_a_claim_costs_little_however_many_items_there_are_and_however_many_their_person_has_judged(ben: User):
    project = queued(ben, items=1, wanted=5)
    db.engine().dispose()  # a plan made for a table of one row may read all of it for each foreign key of 27,000
    with db.work_unit() as session:
        session.execute(
            text("""INSERT INTO item (project_id, prompt_id, response_ids, content_hash, wanted, open_slots)
                SELECT project_id, prompt_id, response_ids, int8send(n), 5, 5 FROM item, generate_series(1, 30000) AS n""")
        )
        session.execute(
            text("""INSERT INTO assignment (project_id, item_id, user_id, state, seed, shown_order, expires_at)
                SELECT project_id, id, :ben, 'done', 0, '{}', now() FROM item WHERE id % 10 > 0"""),
            {"ben": ben.id},
        )
        session.execute(text("ANALYZE item, assignment"))  # what autovacuum does, sooner or later
    db.engine().dispose()  # nor are such plans what is measured here
    walked = []
    for _ in range(9):
        with Session(db.engine()) as session:
            claim(session, ben.id, project.id)
            walked.append(rows_read(session))
            session.rollback()
    assert 0 < sorted(walked)[len(walked) // 2] < 1000, "of 27,000 that they have judged"


def rows_read(session: Session) -> int:
    """By this transaction, through indexes and without."""
    statement = """
        SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_xact_user_tables
        WHERE relname IN ('item', 'assignment')"""
    return int(session.execute(text(statement)).scalar_one())
