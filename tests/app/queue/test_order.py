"""In which order items are handed out, and to whom not at all."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import db
from app.models import Project, User
from app.queue.service import claim
from tests.app.queue.test_claim import rows_read
from tests.queued import asked, claimed, judged, queued, slots_that_do_not_add_up, value, write


def shown_to(user: User, project: Project, most: int = 100) -> Sequence[int]:
    """The items that this person is handed, judging each, until nothing is left."""
    seen: list[int] = []
    while len(seen) < most and (turn := asked(user, project)):
        judged(user, turn)
        seen.append(turn.item_id)
    return seen


def test_imported_order_is_that_of_the_file(ben: User):
    project = queued(ben, items=12, item_order="imported")
    assert shown_to(ben, project) == [*range(1, 13)]


def test_a_later_import_comes_after_an_earlier_one(ben: User):
    project = queued(ben, items=4, item_order="imported")
    write("UPDATE item SET created_at = created_at - interval '1 day' WHERE id = 4")
    assert shown_to(ben, project) == [4, 1, 2, 3]


def test_priority_order_begins_with_the_lowest_number_and_equal_ones_go_by_their_place_in_the_file(ben: User):
    project = queued(ben, items=6, item_order="priority")
    write("UPDATE item SET priority = CASE WHEN id = 5 THEN 0 WHEN id > 3 THEN 2 ELSE 7 END")
    assert shown_to(ben, project) == [5, 4, 6, 1, 2, 3]


@pytest.mark.parametrize("order", ["random", "imported", "priority"])
def test_urgent_items_come_first_in_every_order_and_lead_nobody_away_from_their_place(ben: User, order: str):
    project = queued(ben, items=9, wanted=2, item_order=order)
    write("UPDATE item SET priority = id")
    begun = shown_to(ben, project, most=3)
    write("UPDATE item SET priority = -1 WHERE id = 8")
    rest = shown_to(ben, project)
    assert (rest[0] if 8 not in begun else 8) == 8
    if order != "random":
        assert [*begun, *rest] == [1, 2, 3, 8, 4, 5, 6, 7, 9]


@pytest.mark.parametrize("order", ["imported", "priority"])
def test_what_comes_back_behind_somebody_is_found_when_the_rest_is_done(ben: User, order: str):
    project = queued(ben, items=5, item_order=order)
    write("UPDATE item SET priority = id, open_slots = CASE WHEN id IN (1, 2) THEN 0 ELSE 1 END")
    assert shown_to(ben, project, most=2) == [3, 4]
    write("UPDATE item SET open_slots = 1 WHERE id IN (1, 2)")
    assert shown_to(ben, project) == [5, 1, 2]


@pytest.mark.parametrize("order", ["random", "imported", "priority"])
def test_nothing_is_left_out_when_the_order_is_changed_on_the_way(ben: User, order: str):
    project = queued(ben, items=12, item_order="imported")
    seen = [*shown_to(ben, project, most=4)]
    write("UPDATE project SET item_order = :order", order=order)
    seen += shown_to(ben, project, most=4)
    write("UPDATE project SET item_order = 'priority'")
    seen += shown_to(ben, project)
    assert sorted(seen) == [*range(1, 13)]


def test_two_people_in_imported_order_get_the_first_two_items(ben: User, cleo: User):
    project = queued(ben, cleo, items=5, item_order="imported")
    assert (claimed(ben, project).item_id, claimed(cleo, project).item_id) == (1, 2)


@pytest.mark.parametrize("order", ["random", "imported", "priority"])
def test_a_turn_says_why_it_was_given(ben: User, order: str):
    project = queued(ben, items=3, item_order=order)
    assert claimed(ben, project).reason == order
    assert value("SELECT reason FROM assignment") == order


def test_what_is_reserved_comes_first_to_its_person_and_never_to_anybody_else(ben: User, cleo: User):
    project = queued(ben, cleo, items=6)
    write("UPDATE item SET reserved_for = :ben WHERE id IN (2, 5)", ben=ben.id)
    write("UPDATE item SET priority = -1 WHERE id = 3")
    assert shown_to(cleo, project, most=1) == [3]
    turn = claimed(ben, project)
    assert (turn.item_id in {2, 5}, turn.reason) == (True, "reserved")
    assert set(shown_to(cleo, project)) == {1, 4, 6}
    assert set(shown_to(ben, project)) == {2, 5}
    assert slots_that_do_not_add_up() == []


def test_what_is_set_aside_goes_to_nobody_until_it_is_open_again(ben: User):
    project = queued(ben, items=3)
    write(
        "UPDATE item SET set_aside = true, reserved_for = CASE WHEN id = 2 THEN :ben END WHERE id IN (1, 2)", ben=ben.id
    )
    assert shown_to(ben, project) == [3]
    write("UPDATE item SET set_aside = false")
    assert shown_to(ben, project) == [2, 1]


def test_whoever_has_an_item_open_that_is_set_aside_may_finish_it(ben: User):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    write("UPDATE item SET set_aside = true")
    assert claimed(ben, project).assignment_id == turn.assignment_id
    assert judged(ben, turn).judgment["counted"]
    assert slots_that_do_not_add_up() == []


@pytest.mark.parametrize("order", ["imported", "priority"])
def test_a_claim_does_not_walk_past_the_head_that_its_person_has_judged(ben: User, order: str):
    project = queued(ben, items=1, wanted=5, item_order=order)
    judge_the_first_of_many(ben, order)
    db.engine().dispose()  # plans that were made for a table of three rows are not what is measured here
    for _ in range(7):  # also with the plan for any values that Postgres may take after five times
        with Session(db.engine()) as session:
            turn = claim(session, ben.id, project.id)
            walked = rows_read(session)
            session.rollback()
        assert turn
        assert turn.item_id == 20002
        assert 0 < walked < 100, "of 20,000 that they have judged"


def judge_the_first_of_many(user: User, order: str) -> None:
    with db.work_unit() as session:
        session.execute(
            text("""INSERT INTO item
                    (project_id, prompt_id, response_ids, content_hash, wanted, open_slots, priority, created_at)
                SELECT project_id, prompt_id, response_ids, int8send(n), 5, 4, n, created_at
                FROM item, generate_series(1, 30000) AS n""")
        )
        session.execute(text("UPDATE item SET priority = 0 WHERE id = 1"))
        session.execute(
            text("""WITH turn AS (
                    INSERT INTO assignment (project_id, item_id, user_id, state, reason, seed, shown_order, expires_at)
                    SELECT project_id, id, :user, 'done', :order, 0, '{}', now() FROM item WHERE id <= 20001 ORDER BY id
                    RETURNING id, project_id, item_id)
                INSERT INTO judgment
                    (project_id, assignment_id, item_id, user_id, judge_kind, outcome, tiers, client_key)
                SELECT project_id, id, item_id, :user, 'human', 'tie', '{}', 'k' FROM turn ORDER BY id"""),
            {"user": user.id, "order": order},
        )
        session.execute(text("ANALYZE item, assignment, judgment"))
