"""Many people at once: every item is judged as often as wanted, no more and no less."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import pytest
from sqlalchemy import Engine, text

from app import db
from app.errors import Conflict
from app.judgments import service as judgments
from app.kinds import Verdict
from app.models import Project, User
from app.people import service as people
from app.queue.service import Turn, claim, expire
from tests.queued import asked, claimed, judged, person_of, queued, slots_that_do_not_add_up, undone, value

PEOPLE = 32


def crowd(project: Project, size: int = PEOPLE) -> list[User]:
    with db.work_unit() as session:
        users = [User(email=f"p{n}@example.org", name=f"p{n}", role="annotator") for n in range(size)]
        session.add_all(users)
        session.flush()
        for user in users:
            people.join(session, user.id, project.id)
    return users


def at_once(*acts: Callable[[], None]) -> None:
    """All of them in threads of their own; the first exception is the test's."""
    start = threading.Barrier(len(acts))
    broken: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        start.wait()
        try:
            act()
        except BaseException as problem:  # noqa: BLE001 -- told to the test below
            broken.append(problem)

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]


def walk_away(turn: Turn) -> None:
    value("UPDATE assignment SET expires_at = now() WHERE id = :id RETURNING 1", id=turn.assignment_id)


def judge_until_nothing_is_left(user: User, project: Project, draw: random.Random) -> None:
    """A person as they are: they leave, skip, change their mind, and send what they had open before they left."""
    left: list[Turn] = []
    while something_is_left():
        turn = asked(user, project)
        if turn is None:
            time.sleep(0.05)
            continue
        mood = draw.random()
        if mood < 0.15:
            walk_away(turn)
            left.append(turn)
        elif mood < 0.18 and left:
            send_late(user, left.pop())
        elif mood < 0.2:
            judged(user, turn, outcome="skip")
        else:
            stored = judged(user, turn)
            if mood > 0.9:
                undone(user, stored)


def something_is_left() -> bool:
    """Also what somebody who left still holds."""
    left = (
        "SELECT EXISTS (SELECT FROM item WHERE open_slots > 0) OR EXISTS (SELECT FROM assignment WHERE state = 'open')"
    )
    return bool(value(left))


def send_late(user: User, turn: Turn) -> None:
    with suppress(Conflict):  # the item came back to them and is judged
        judged(user, turn)


def sweep_until(over: threading.Event) -> None:
    while not over.wait(0.02):
        with db.work_unit() as session:
            expire(session)


def check(project: Project, wanted: int) -> None:
    with db.work_unit() as session:
        while expire(session):
            pass
    assert slots_that_do_not_add_up() == []
    counted = value("""
        SELECT array_agg(DISTINCT n) FROM (
            SELECT count(*) FILTER (WHERE judgment.counted AND judgment.is_current) AS n
            FROM item LEFT JOIN judgment ON judgment.item_id = item.id GROUP BY item.id) AS per_item""")
    assert counted == [wanted]


def test_32_people_of_whom_some_walk_away_judge_every_item_as_often_as_wanted(database: Engine):
    project = queued(items=60, wanted=3)
    users = crowd(project)
    over = threading.Event()
    sweeper = threading.Thread(target=sweep_until, args=[over])
    sweeper.start()

    def life(user: User) -> Callable[[], None]:
        return lambda: judge_until_nothing_is_left(user, project, random.Random(user.id))

    try:
        at_once(*map(life, users))
    finally:
        over.set()
        sweeper.join()
    check(project, wanted=3)
    twice = value("SELECT count(*) FROM (SELECT FROM assignment GROUP BY item_id, user_id HAVING count(*) > 1) AS t")
    assert twice == 0


def test_32_people_at_one_item_get_the_turns_that_are_wanted(database: Engine):
    project = queued(items=1, wanted=5)
    users = crowd(project)
    turns: list[Turn | None] = []
    at_once(*[lambda user=user: turns.append(asked(user, project)) for user in users])
    assert sum(turn is not None for turn in turns) == 5
    assert slots_that_do_not_add_up() == []


def test_two_tabs_of_one_person_show_the_same_turn(database: Engine):
    project = queued(items=50, wanted=2)
    (user,) = crowd(project, 1)
    turns: list[Turn] = []
    for rounds in range(1, 11):
        at_once(*[lambda: turns.append(claimed(user, project))] * 4)
        assert len({turn.assignment_id for turn in turns}) == rounds
        judged(user, turns[-1])
    assert value("SELECT sum(wanted - open_slots) FROM item") == 10
    assert slots_that_do_not_add_up() == []


def test_one_tab_judges_while_another_asks(database: Engine):
    project = queued(items=50)
    (user,) = crowd(project, 1)

    def judge_and_go_on(turn: Turn) -> None:
        with db.work_unit() as session:
            judgments.judge(session, person_of(user), turn.assignment_id, Verdict("tie"), key=str(turn.assignment_id))
            claim(session, user.id, project.id, is_locked=True)

    for _ in range(20):
        turn = claimed(user, project)
        at_once(partial(judge_and_go_on, turn), *[lambda: claimed(user, project) and None] * 3)
        assert value("SELECT count(*) FROM assignment WHERE state = 'open'") == 1
    assert slots_that_do_not_add_up() == []


def test_two_tabs_on_the_last_item_lose_no_slot(database: Engine):
    project = queued(items=1, wanted=2)
    (user,) = crowd(project, 1)
    at_once(*[lambda: claimed(user, project) and None] * 8)
    assert value("SELECT open_slots FROM item") == 1
    assert slots_that_do_not_add_up() == []


@pytest.mark.parametrize("in_time", [True, False], ids=["in time", "late"])
def test_the_sweep_and_a_judgment_at_the_same_moment(database: Engine, in_time: bool):
    project = queued(items=30, wanted=1)
    (user,) = crowd(project, 1)
    for _ in range(15):
        turn = claimed(user, project)
        walk_away(turn)
        if not in_time:
            sweep_once()
        at_once(sweep_once, sweep_once, lambda turn=turn: judged(user, turn) and None)
    assert value("SELECT count(*) FROM judgment WHERE counted") == 15
    assert slots_that_do_not_add_up() == []


def sweep_once() -> None:
    with db.work_unit() as session:
        expire(session)


def test_two_sweeps_at_once_give_each_slot_back_once(database: Engine):
    project = queued(items=20, wanted=4)
    for user in crowd(project, 20):
        claimed(user, project)
    with db.work_unit() as session:
        session.execute(text("UPDATE assignment SET expires_at = now()"))
    sweeps: Sequence[Callable[[], None]] = [sweep_once] * 4
    at_once(*sweeps)
    sweep_once()  # two that meet on one item may both leave a turn of it to the next sweep
    assert value("SELECT sum(open_slots) FROM item") == 80
