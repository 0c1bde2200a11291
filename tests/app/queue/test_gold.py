"""Items that tell about whoever judges them: training, hidden gold, and repeats of what they judged before."""

from collections import Counter
from collections.abc import Iterator

import pytest

from app import db
from app.judgments.preferences import preference_lines
from app.models import Project, User
from app.queue.api import shown
from app.queue.service import Turn, expire, release
from tests.queued import (
    asked,
    claimed,
    judged,
    leases_run_out,
    make_gold,
    queued,
    slots_that_do_not_add_up,
    undone,
    value,
    write,
)


def turns(user: User, project: Project, most: int = 300) -> Iterator[Turn]:
    """What this person is handed, judging each, until nothing is left."""
    for _ in range(most):
        turn = asked(user, project)
        if turn is None:
            return
        judged(user, turn)
        yield turn


def reasons(user: User, project: Project, most: int = 300) -> Counter[str]:
    return Counter(turn.reason for turn in turns(user, project, most))


def test_training_comes_first_in_order_before_real_work_and_urgent_items(ben: User, cleo: User):
    project = queued(ben, cleo, items=5, gold_share=0)
    make_gold(2, 4, training=True)
    write("UPDATE item SET priority = -1 WHERE id = 1")
    for user in (ben, cleo):
        first, second, third = turns(user, project, most=3)
        assert [first.item_id, second.item_id] == [2, 4]
        assert (first.reason, first.is_training, third.is_training) == ("training", True, False)
    assert slots_that_do_not_add_up() == []


def test_hidden_gold_is_mixed_in_by_its_share_and_each_comes_once(ben: User):
    project = queued(ben, items=80, gold_share=0.5)
    make_gold(*range(1, 11))
    seen = [*turns(ben, project)]
    gold = [place for place, turn in enumerate(seen) if turn.reason == "gold"]
    assert len(gold) == 10
    assert len({turn.item_id for turn in seen}) == len(seen) == 80
    assert gold[-1] < 60, "ten of 50 in a hundred; later once in a billion runs"


def test_a_project_that_wants_none_gets_no_gold(ben: User):
    project = queued(ben, items=30, gold_share=0)
    make_gold(*range(1, 11))
    assert reasons(ben, project) == {"random": 20}


def test_everybody_gets_the_same_gold_at_once(ben: User, cleo: User):
    project = queued(ben, cleo, items=2, gold_share=0)
    make_gold(1, training=True)
    assert claimed(ben, project).item_id == claimed(cleo, project).item_id == 1


def test_gold_that_is_set_aside_is_not_shown(ben: User):
    project = queued(ben, items=3, gold_share=0.5)
    make_gold(1, training=True)
    make_gold(2)
    write("UPDATE item SET set_aside = true WHERE wanted = 0")
    assert reasons(ben, project) == {"random": 1}


def test_what_is_said_about_gold_is_stored_but_neither_counts_nor_makes_tuples(ben: User):
    project = queued(ben, items=1, gold_share=0)
    make_gold(1, training=True)
    turn = claimed(ben, project)
    stored = judged(ben, turn)
    assert value("SELECT tiers FROM judgment WHERE NOT counted AND is_current") == stored.judgment["tiers"]
    assert stored.judgment["counted"], "nobody learns from the answer that it was a test"
    assert list(preference_lines(project)) == []
    assert slots_that_do_not_add_up() == []


def test_hidden_gold_can_be_skipped_undone_and_judged_again(ben: User):
    project = queued(ben, items=40, gold_share=0.5)
    make_gold(1)
    turn = claimed(ben, project)
    while turn.item_id != 1:  # by lot, so never as many turns as there are items
        judged(ben, turn)
        turn = claimed(ben, project)
    undone(ben, judged(ben, turn, outcome="skip"))
    assert claimed(ben, project).assignment_id == turn.assignment_id
    undone(ben, judged(ben, turn))
    assert claimed(ben, project).assignment_id == turn.assignment_id
    judged(ben, turn)
    assert claimed(ben, project).item_id != 1
    assert slots_that_do_not_add_up() == []


def test_gold_that_somebody_let_expire_takes_and_gives_no_slot(ben: User):
    project = queued(ben, items=1, gold_share=0)
    make_gold(1, training=True)
    turn = claimed(ben, project)
    leases_run_out()
    swept()
    assert value("SELECT open_slots FROM item") == 0
    assert claimed(ben, project).assignment_id == turn.assignment_id


def swept() -> None:
    with db.work_unit() as session:
        expire(session)


def test_a_repeat_is_of_an_item_judged_some_time_before_with_its_sides_swapped(ben: User):
    project = queued(ben, items=40, gold_share=0, repeat_share=0.5)
    seen = [*turns(ben, project)]
    first = {turn.item_id: (place, turn) for place, turn in enumerate(seen) if turn.reason != "repeat"}
    repeats = [(place, turn) for place, turn in enumerate(seen) if turn.reason == "repeat"]
    assert repeats, "none in 30 turns of which each is one by half happens once in a billion runs"
    for place, turn in repeats:
        before, original = first[value("SELECT repeat_of FROM item WHERE id = :id", id=turn.item_id)]
        assert place - before > 10
        assert turn.responses == original.responses[::-1]
        assert turn.prompt == original.prompt
    originals = value("SELECT count(DISTINCT repeat_of) FROM item WHERE repeat_of IS NOT NULL")
    assert originals == len(repeats), "nothing is repeated twice"
    assert slots_that_do_not_add_up() == []


def test_a_repeat_of_a_ranking_is_shown_in_another_order(ben: User):
    project = queued(ben, items=30, responses=3, gold_share=0, repeat_share=0.5)
    first = {}
    for turn in turns(ben, project):
        if turn.reason == "repeat":
            original = value("SELECT repeat_of FROM item WHERE id = :id", id=turn.item_id)
            assert sorted(turn.responses) == sorted(first[original])
            assert turn.responses != first[original]
        first[turn.item_id] = turn.responses


def test_a_repeat_counts_for_nothing_and_is_for_nobody_else(ben: User, cleo: User):
    project = queued(ben, cleo, items=40, gold_share=0, repeat_share=0.5, wanted=2)
    mine = reasons(ben, project)
    assert mine["random"] == 40
    assert value("SELECT count(*) FROM judgment WHERE counted") == 40
    assert len(list(preference_lines(project))) == 1, "40 lines come in one part"
    assert value("SELECT count(*) FROM preference") == 40
    theirs = [value("SELECT reserved_for FROM item WHERE id = :id", id=turn.item_id) for turn in turns(cleo, project)]
    assert set(theirs) == {None, cleo.id}


def test_a_repeat_that_ran_out_comes_back_as_the_same_one(ben: User):
    project = queued(ben, items=60, gold_share=0, repeat_share=0.5, wanted=2)
    list(turns(ben, project, most=11))
    while (turn := claimed(ben, project)).reason != "repeat":
        judged(ben, turn)
    leases_run_out()
    swept()
    for _ in range(1000):  # nothing is judged meanwhile, so the few that may be repeated stay few
        again = claimed(ben, project)
        if again.item_id == turn.item_id:
            assert again.assignment_id == turn.assignment_id
            assert again.responses == turn.responses
            return
        with db.work_unit() as session:
            release(session, ben.id, again.assignment_id)
    pytest.fail("the repeat did not come back")


def test_nobody_is_tested_when_nothing_else_is_left(ben: User):
    project = queued(ben, items=15, gold_share=0.5, repeat_share=0.5)
    list(turns(ben, project))
    made = value("SELECT count(*) FROM item")
    make_gold(1)
    assert [asked(ben, project) for _ in range(20)] == [None] * 20
    assert value("SELECT count(*) FROM item") == made


def test_programs_are_told_of_training_and_of_nothing_else(ben: User):
    project = queued(ben, items=2, gold_share=0)
    make_gold(1, training=True)
    told = shown(claimed(ben, project))
    assert told["training"] is True
    assert set(told) == {"assignment", "item", "prompt", "responses", "expires_at", "training"}
