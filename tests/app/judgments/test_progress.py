"""How far somebody is: counted once, and then from what is newer."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import db
from app.judgments import progress as counting
from app.judgments import service
from app.judgments.progress import Progress, looking
from app.kinds import Verdict
from app.models import Project, User
from tests.queued import claimed, first_shown_is_best, judged, person_of, queued, undone, write


def seen(user: User, project: Project) -> Progress:
    with db.work_unit() as session:
        return looking(session, person_of(user), project)()


def test_each_judgment_adds_one_each_withdrawal_takes_one_off_and_a_skip_does_neither(ben: User):
    project = queued(ben, items=5)
    numbers = [seen(ben, project).in_all]
    first = judged(ben, claimed(ben, project))
    numbers.append(seen(ben, project).in_all)
    judged(ben, claimed(ben, project), outcome="skip")
    numbers.append(seen(ben, project).in_all)
    judged(ben, claimed(ben, project))
    numbers.append(seen(ben, project).in_all)
    undone(ben, first)
    numbers.append(seen(ben, project).in_all)
    assert numbers == [0, 1, 1, 2, 1]


def test_what_is_rolled_back_is_not_remembered(ben: User):
    project = queued(ben, items=2)
    turn = claimed(ben, project)
    verdict = Verdict("ranked", first_shown_is_best(turn))
    with Session(db.engine()) as session:
        service.judge(session, person_of(ben), turn.assignment_id, verdict, key="lost")
        assert looking(session, person_of(ben), project)().in_all == 1
        session.rollback()
    assert seen(ben, project).in_all == 0
    judged(ben, turn)
    assert seen(ben, project).in_all == 1


def test_taking_back_what_was_said_yesterday_takes_nothing_off_today(ben: User):
    project = queued(ben, items=3)
    old = judged(ben, claimed(ben, project))
    with db.work_unit() as session:
        session.execute(text("UPDATE judgment SET created_at = created_at - interval '1 day'"))
    judged(ben, claimed(ben, project))
    assert (seen(ben, project).in_all, seen(ben, project).today) == (2, 1)
    undone(ben, old)
    assert (seen(ben, project).in_all, seen(ben, project).today) == (1, 1)


def test_what_is_left_goes_down_with_each_turn_while_the_last_count_holds(ben: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(counting, "NEAR_THE_END", 0)
    monkeypatch.setattr(counting, "RECENT", 0)
    project = queued(ben, items=8)
    left = []
    for _ in range(6):
        turn = claimed(ben, project)
        left.append(seen(ben, project).open_items)
        judged(ben, turn)
    assert left == [7, 6, 5, 4, 3, 2]


def test_what_is_left_is_what_this_person_may_still_take(ben: User, cleo: User):
    project = queued(ben, cleo, items=5, wanted=2)
    judged(ben, claimed(ben, project))
    claimed(ben, project)
    assert (seen(ben, project).open_items, seen(cleo, project).open_items) == (3, 5)
    write("UPDATE item SET reserved_for = :cleo", cleo=cleo.id)
    assert (seen(ben, project).open_items, seen(cleo, project).open_items) == (0, 5)
    assert not seen(cleo, project).are_more


def test_many_are_said_as_at_least_so_many_also_behind_those_that_are_judged(
    ben: User, cleo: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(counting, "COUNTED_LEFT", 4)
    project = queued(ben, cleo, items=12, wanted=2, item_order="imported")
    for _ in range(7):
        judged(ben, claimed(ben, project))
    assert (seen(ben, project).open_items, seen(ben, project).are_more) == (4, True)
    claimed(cleo, project)
    monkeypatch.setattr(counting, "LOOKED_AT", 6)
    monkeypatch.setattr(counting, "COUNTED_LEFT", 100)
    assert seen(cleo, project).are_more
    assert seen(cleo, project).open_items <= 6
