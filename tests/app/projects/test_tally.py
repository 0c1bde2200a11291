"""What is read of a project is right at any time, however much of it has been added up before."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select, text

from app import db
from app.judgments import service as judgments
from app.judgments.bulk import Judged, store_imported
from app.judgments.service import Stored
from app.kinds import Verdict
from app.models import Item, Project, User
from app.projects import tally
from app.projects.live import Live, live
from app.projects.queries import counts
from app.projects.service import change_settings
from app.prompts import items
from tests.app.prompts.test_items import changed, first_is_best
from tests.queued import asked, judged, leases_run_out, person_of, queued, undone, value

ONE_BY_ONE = """
    SELECT
        (SELECT count(*) FROM item WHERE wanted > 0) AS items, (SELECT sum(wanted) FROM item) AS wanted,
        (SELECT sum(open_slots) FROM item WHERE NOT set_aside) AS open,
        (SELECT sum(open_slots) FROM item WHERE set_aside) AS set_aside,
        (SELECT count(*) FROM assignment JOIN item ON item.id = item_id WHERE state = 'open' AND wanted > 0) AS leased,
        (SELECT count(*) FROM judgment WHERE is_current AND counted) AS done
"""
BY_PERSON = """
    SELECT name, count(*) AS in_all, count(*) FILTER (WHERE outcome = 'tie') AS ties,
        count(*) FILTER (WHERE outcome = 'skip') AS skips
    FROM judgment JOIN "user" ON "user".id = user_id
    WHERE is_current AND NOT withdrawn AND judgment.judge_kind = 'human' GROUP BY name
"""


def added_up() -> int:
    with db.work_unit() as session:
        return tally.add_up(session)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "WORTH_IT", 1)


def read() -> Live:
    with db.work_unit() as session:
        return live(session, session.scalars(select(Project)).one())


def assert_right() -> None:
    seen = read()
    assert_progress_is_right()
    with db.work_unit() as session:
        whole = session.execute(text(ONE_BY_ONE)).mappings().one()
        people = {row.name: (row.in_all, row.ties, row.skips) for row in session.execute(text(BY_PERSON))}
    assert {name: getattr(seen.standing, name) for name in whole} == {name: int(n or 0) for name, n in whole.items()}
    told = {
        one.name: (one.in_all, round(one.tie_share * one.in_all), round(one.skip_share * one.in_all))
        for one in seen.annotators
    }
    assert told == people
    assert {one.name: one.recently for one in seen.annotators} == {name: n for name, (n, _, _) in people.items()}
    assert seen.rate == pytest.approx(
        4 * sum(n - skips for n, _, skips in people.values())
    )  # within a quarter of an hour


def assert_progress_is_right() -> None:
    """For all projects at once, against what is counted item by item."""
    with db.work_unit() as session:
        projects = session.scalars(select(Project)).all()
        told = tally.progress(session, [one.id for one in projects])
        whole = counts(session, projects)
    assert {key: (one.items, one.wanted, one.counted, one.is_open) for key, one in told.items()} == {
        key: (one.items, one.wanted, one.counted, one.open > 0) for key, one in whole.items()
    }


def revised(user: User, stored: Stored) -> Stored:
    with db.work_unit() as session:
        return judgments.revise(session, person_of(user), stored.judgment["id"], Verdict("all_bad"), key="again")


def imported(project: Project, name: str) -> None:
    """Somebody elsewhere has judged every item."""
    with db.work_unit() as session:
        judge = User(name=name, judge_kind="imported", project_id=project.id)
        session.add(judge)
        session.flush()
        rows = session.scalars(select(Item).where(Item.project_id == project.id, Item.wanted > 0)).all()
        store_imported(
            session,
            project,
            [
                Judged(one.id, one.prompt_id, judge.id, Verdict("tie", dict.fromkeys(one.response_ids, 1)))
                for one in rows
            ],
        )


def judging(project: Project, crowd: Sequence[User], draw: random.Random) -> Iterator[None]:
    """Whatever people do, one thing at a time."""
    done: list[tuple[User, Stored]] = []
    while True:
        user = draw.choice(crowd)
        turn = asked(user, project)
        if turn is None:
            return
        verdict: dict[str, Any] = draw.choice([{}, {"outcome": "tie"}, {"outcome": "skip"}])
        if draw.random() < 0.2:
            leases_run_out()
        done.append((user, judged(user, turn, **verdict)))
        yield
        if draw.random() < 0.4:
            user, stored = done.pop(draw.randrange(len(done)))
            act = draw.choice([undone, revised])
            again = act(user, stored)
            if act is revised:
                done.append((user, again))
            yield


def test_it_is_right_whatever_people_do_and_whenever_it_is_added_up(ben: User, cleo: User, at_once: None):
    draw = random.Random(5)
    project = queued(ben, cleo, items=12, wanted=2)
    for _ in judging(project, (ben, cleo), draw):
        if draw.random() < 0.3:
            assert added_up()
            assert added_up() == 0
        assert_right()
    assert value("SELECT sum(turns) FROM judged") == value("SELECT sum(turns) FROM judged_hour") > 10


def test_what_managers_and_files_change_is_in_it(ada: User, ben: User, at_once: None):
    project = queued(ben, items=5, wanted=2, item_order="imported")
    for _ in range(3):
        turn = asked(ben, project)
        assert turn
        judged(ben, turn)
    assert added_up()
    steps = [
        lambda: imported(project, "elsewhere"),
        lambda: changed(ada, project, items.make_gold, answer=first_is_best(), is_training=False),
        lambda: changed(ada, project, items.set_aside, 2),
        lambda: changed(ada, project, items.reserve, 5, user=ben),
        lambda: changed(ada, project, items.make_ordinary),
        lambda: changed(ada, project, items.unreserve, 5),
    ]
    for step in steps:
        step()
        assert_right()
        added_up()
        assert_right()
    with db.work_unit() as session:
        change_settings(session, person_of(ada), session.get_one(Project, project.id), judgments_per_item=4)
    assert_right()


def test_each_project_has_its_own_progress(ben: User, cleo: User, at_once: None):
    projects = [
        queued(ben, cleo, slug=slug, items=items, wanted=2) for slug, items in (("one", 1), ("two", 3), ("none", 0))
    ]
    for user in (ben, cleo):
        for project in projects[:2]:
            turn = asked(user, project)
            assert turn
            judged(user, turn)
        assert_progress_is_right()
        assert added_up()
        assert_progress_is_right()


def test_nothing_is_added_up_while_a_file_is_stored(ben: User, at_once: None):
    project = queued(ben, items=1)
    turn = asked(ben, project)
    assert turn
    judged(ben, turn)
    with db.work_unit() as session:
        tally.keep_still(session)
        assert added_up() == 0
    assert added_up() == 1


def test_it_waits_until_enough_has_come_in(ben: User):
    project = queued(ben, items=1)
    turn = asked(ben, project)
    assert turn
    judged(ben, turn)
    assert added_up() == 0
    assert value("SELECT count(*) FROM judged") == 0
    assert value("SELECT wanted FROM item_total") == 1
    assert_right()
