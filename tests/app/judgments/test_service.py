"""Storing a judgment, taking it back, replacing it."""

import threading
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app import db
from app.errors import BadInput, BadJudgment, Conflict, NotFound
from app.judgments import service
from app.kinds import Verdict
from app.models import User
from app.people import service as people
from app.queue.service import expire
from tests.queued import (
    asked,
    claimed,
    first_shown_is_best,
    judged,
    leases_run_out,
    person_of,
    queued,
    slots_that_do_not_add_up,
    undone,
    value,
)

CURRENT_TUPLES = "SELECT count(*) FROM preference WHERE is_current"


def swept() -> None:
    leases_run_out()
    with db.work_unit() as session:
        expire(session)


def test_it_stores_what_was_decided_by_response_id(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    best, worst = turn.responses[1][0], turn.responses[0][0]
    tiers = {UUID(worst): 2, UUID(best): 1}
    stored = judged(ben, turn, outcome="ranked", tiers=tiers, strength=3, comment="clear")
    assert stored.judgment["tiers"] == {best: 1, worst: 2}
    assert (stored.judgment["outcome"], stored.judgment["strength"], stored.judgment["comment"]) == (
        "ranked",
        3,
        "clear",
    )
    assert value("SELECT chosen_id::text || rejected_id || margin FROM preference") == f"{best}{worst}3"
    assert slots_that_do_not_add_up() == []


def test_tiers_1_2_2_3_make_five_tuples(ben: User):
    turn = claimed(ben, queued(ben, items=1, responses=4))
    keys = [UUID(key) for key, _ in turn.responses]
    judged(ben, turn, outcome="ranked", tiers=dict(zip(keys, [1, 2, 2, 3], strict=True)))
    assert value(CURRENT_TUPLES) == 5
    assert value("SELECT count(*) FROM preference WHERE margin IS NOT NULL") == 0


@pytest.mark.parametrize("outcome", ["tie", "all_bad"])
def test_outcomes_without_an_order_count_and_make_no_tuple(ben: User, outcome: str):
    project = queued(ben, items=1)
    stored = judged(ben, claimed(ben, project), outcome=outcome)
    assert stored.judgment["counted"]
    assert value(CURRENT_TUPLES) == 0
    assert asked(ben, project) is None
    assert slots_that_do_not_add_up() == []


def test_a_skip_gives_the_slot_back_and_its_person_is_not_asked_again(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    stored = judged(ben, claimed(ben, project), outcome="skip", comment="not my field")
    assert not stored.judgment["counted"]
    assert asked(ben, project) is None
    assert claimed(cleo, project)
    assert slots_that_do_not_add_up() == []


def test_the_same_key_stores_nothing_twice(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    first, second = (judged(ben, turn, key="once") for _ in range(2))
    assert (first.replayed, second.replayed) == (False, True)
    assert second.judgment == first.judgment
    assert value("SELECT count(*) FROM judgment") == 1


def test_the_same_key_for_something_else_is_a_conflict(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    judged(ben, turn, key="once")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        judged(ben, turn, key="once", outcome="tie")
    assert value("SELECT count(*) FROM judgment") == 1


def test_a_second_judgment_of_a_turn_is_a_conflict(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    judged(ben, turn)
    with pytest.raises(Conflict, match="already"):
        judged(ben, turn)


def test_a_double_click_stores_one_judgment(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    start = threading.Barrier(8)
    seen = []

    def click() -> None:
        start.wait()
        seen.append(judged(ben, turn, key="click"))

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored.replayed for stored in seen) == [False] + [True] * 7
    assert len({stored.judgment["id"] for stored in seen}) == 1
    assert slots_that_do_not_add_up() == []


def test_an_order_without_its_places_is_no_replay_of_one_with_them(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    judged(ben, turn, key="once")
    with pytest.raises(Conflict, match="something else"):
        judged(ben, turn, key="once", outcome="ranked")


def test_a_bad_judgment_leaves_the_turn_open(ben: User):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    with pytest.raises(BadJudgment):
        judged(ben, turn, outcome="ranked", tiers={uuid4(): 1})
    assert claimed(ben, project).assignment_id == turn.assignment_id


def test_what_the_project_does_not_offer_is_refused(ben: User):
    project = queued(ben, items=1, outcomes=["ranked", "skip"])
    with pytest.raises(BadJudgment, match="not offered"):
        judged(ben, claimed(ben, project), outcome="tie")


def test_nobody_judges_somebody_elses_turn(ben: User, cleo: User, ada: User):
    turn = claimed(ben, queued(ben, cleo, items=1))
    for other in (cleo, ada):
        with pytest.raises(NotFound):
            judged(other, turn)


def test_who_left_the_project_judges_no_more(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    stored = judged(ben, turn, key="before")
    value("DELETE FROM membership RETURNING 1")
    for act in (lambda: judged(ben, turn, key="before"), lambda: undone(ben, stored)):
        with pytest.raises(NotFound):
            act()


@pytest.mark.parametrize("key", ["", "x" * 256, "nul\0"])
def test_a_key_that_cannot_be_stored_is_refused(ben: User, key: str):
    turn = claimed(ben, queued(ben, items=1))
    with db.work_unit() as session, pytest.raises(BadInput, match="Idempotency-Key"):
        service.judge(session, person_of(ben), turn.assignment_id, Verdict("tie"), key=key)


def test_late_work_takes_a_slot_that_is_still_open(ben: User):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    swept()
    assert judged(ben, turn).judgment["counted"]
    assert value("SELECT open_slots FROM item") == 0
    assert slots_that_do_not_add_up() == []


def test_late_work_beyond_the_number_wanted_is_kept_and_not_counted(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    turn = claimed(ben, project)
    swept()
    judged(cleo, claimed(cleo, project))
    late = judged(ben, turn)
    assert not late.judgment["counted"]
    assert value(CURRENT_TUPLES) == 2
    assert asked(ben, project) is None
    assert slots_that_do_not_add_up() == []


def test_late_work_does_not_take_the_slot_of_somebodys_turn(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    turn = claimed(ben, project)
    swept()
    hers = claimed(cleo, project)
    assert not judged(ben, turn).judgment["counted"]
    assert judged(cleo, hers).judgment["counted"]
    assert slots_that_do_not_add_up() == []


def test_undo_opens_the_turn_again_for_the_same_person_at_once(ben: User, cleo: User):
    project = queued(ben, cleo, items=5)
    turn = claimed(ben, project)
    stored = judged(ben, turn)
    following = claimed(ben, project)
    undone(ben, stored)
    assert value(CURRENT_TUPLES) == 0
    assert slots_that_do_not_add_up() == []
    again = claimed(ben, project)
    assert (again.assignment_id, again.responses) == (turn.assignment_id, turn.responses)
    assert judged(ben, again, outcome="tie").judgment["revision"] == 3
    assert claimed(ben, project).assignment_id == following.assignment_id
    assert slots_that_do_not_add_up() == []


def test_undo_brings_its_turn_back_before_an_older_one_that_was_taken_up_again(ben: User, cleo: User):
    project = queued(ben, cleo, items=2)
    older = claimed(ben, project)
    swept()
    with db.work_unit() as session:
        session.execute(text("UPDATE item SET priority = -1 WHERE id <> :id"), {"id": older.item_id})
    stored = judged(ben, claimed(ben, project))
    assert claimed(ben, project).assignment_id == older.assignment_id
    undone(ben, stored)
    assert claimed(ben, project).assignment_id == stored.judgment["assignment"]
    assert slots_that_do_not_add_up() == []


def test_undo_gives_the_slot_back_when_its_person_walks_away(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    stored = judged(ben, claimed(ben, project))
    undone(ben, stored)
    assert asked(cleo, project) is None
    swept()
    assert claimed(cleo, project)
    assert slots_that_do_not_add_up() == []


def test_nothing_is_deleted_by_undo(ben: User):
    stored = judged(ben, claimed(ben, queued(ben, items=1)))
    undone(ben, stored)
    assert value("SELECT count(*) FROM judgment") == 2
    assert value("SELECT count(*) FROM preference") == 1
    assert value("SELECT tiers FROM judgment WHERE id = :id", id=stored.judgment["id"]) == stored.judgment["tiers"]


def test_undo_of_a_skip_takes_the_slot_back_if_it_is_there(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    skipped = judged(ben, claimed(ben, project), outcome="skip")
    undone(ben, skipped)
    assert asked(cleo, project) is None
    assert judged(ben, claimed(ben, project)).judgment["counted"]
    assert slots_that_do_not_add_up() == []


def test_undo_of_a_skip_whose_slot_is_gone_leaves_late_work(ben: User, cleo: User):
    project = queued(ben, cleo, items=1)
    turn = claimed(ben, project)
    skipped = judged(ben, turn, outcome="skip")
    claimed(cleo, project)
    undone(ben, skipped)
    assert asked(ben, project) is None
    assert not judged(ben, turn).judgment["counted"]
    assert slots_that_do_not_add_up() == []


def test_undo_twice_is_undo_once(ben: User):
    stored = judged(ben, claimed(ben, queued(ben, items=1)))
    first, second = (undone(ben, stored, key="undo") for _ in range(2))
    assert (first.replayed, second.replayed) == (False, True)
    assert first.judgment == second.judgment
    with pytest.raises(Conflict, match="taken back"):
        undone(ben, stored)
    assert slots_that_do_not_add_up() == []


def test_a_key_of_a_judgment_does_not_undo_and_the_other_way_round(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    stored = judged(ben, turn, key="judged")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        undone(ben, stored, key="judged")
    undone(ben, stored, key="undo")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        judged(ben, turn, key="undo")


def test_nobody_undoes_what_somebody_else_decided(ben: User, cleo: User, ada: User):
    stored = judged(ben, claimed(ben, queued(ben, cleo, items=1)))
    for other in (cleo, ada):
        with pytest.raises(NotFound):
            undone(other, stored)


def test_a_revision_replaces_the_tuples(ben: User):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    stored = judged(ben, turn)
    turned = {key: 3 - tier for key, tier in first_shown_is_best(turn).items()}
    for replayed in (False, True):
        with db.work_unit() as session:
            revised = service.revise(
                session, person_of(ben), stored.judgment["id"], Verdict("ranked", turned), key="revised"
            )
        assert revised.replayed is replayed
        assert revised.judgment["tiers"] == {str(key): tier for key, tier in turned.items()}
        assert value("SELECT chosen_id FROM preference WHERE is_current") == min(turned, key=lambda key: turned[key])
    assert value("SELECT count(*) FROM judgment WHERE is_current") == 1
    assert asked(ben, project) is None
    assert slots_that_do_not_add_up() == []


def test_two_revisions_whose_long_keys_begin_alike_are_two(ben: User):
    turn = claimed(ben, queued(ben, items=1))
    judgment = judged(ben, turn).judgment
    for end, outcome in (("a", "tie"), ("b", "all_bad")):
        with db.work_unit() as session:
            key = "k" * (service.LONGEST_KEY - 1) + end
            judgment = service.revise(session, person_of(ben), judgment["id"], Verdict(outcome), key=key).judgment
        assert judgment["outcome"] == outcome
    assert value("SELECT max(revision) FROM judgment") == 5


def test_members_are_asked_and_strangers_have_nothing_to_judge(ben: User, cleo: User):
    project = queued(ben, items=1)
    turn = claimed(ben, project)
    with db.work_unit() as session:
        people.join(session, cleo.id, project.id)
    with pytest.raises(NotFound):
        judged(cleo, turn)
