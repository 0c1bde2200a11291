"""While people judge, take back and revise, files come in and known answers come and go, what is added up stays right."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import Engine

from app import db
from app.errors import Conflict
from app.kinds import Verdict
from app.models import Project, User
from app.projects import tally
from app.prompts import items
from tests.app.projects.test_tally import added_up, assert_right, imported, judging
from tests.app.queue.test_races import at_once, crowd
from tests.queued import person_of, queued, slots_that_do_not_add_up, value

PEOPLE = 5
ITEMS = 30


def toggled(ada: User, project: Project, item_id: int) -> None:
    """A known answer becomes an ordinary item, and the other way round, unless somebody is at it."""
    with suppress(Conflict), db.work_unit() as session:
        managed = items.managed_item(session, person_of(ada), session.get_one(Project, project.id), item_id)
        if managed.item.gold is not None:
            items.make_ordinary(managed)
        else:
            best, other = managed.item.response_ids
            items.make_gold(managed, Verdict("ranked", {best: 1, other: 2}), is_training=False)


def test_it_is_right_while_everything_changes_at_once(
    ada: User, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "WORTH_IT", 1)
    project = queued(items=ITEMS, wanted=3)
    left, over = threading.Semaphore(0), threading.Event()

    def person(user: User, seed: int) -> Callable[[], None]:
        def live() -> None:
            try:
                with suppress(Conflict):  # their item has become a known answer meanwhile
                    for _ in judging(project, [user], random.Random(seed)):
                        pass
            finally:
                left.release()

        return live

    def until_all_have_left(act: Callable[[int], object]) -> Callable[[], None]:
        def run() -> None:
            turn = 0
            while not over.wait(0.01):
                act(turn := turn + 1)

        return run

    def wait() -> None:
        for _ in range(PEOPLE):
            left.acquire()
        over.set()

    ids = value("SELECT array_agg(id) FROM item")
    draw = random.Random(3)
    at_once(
        *(person(user, seed) for seed, user in enumerate(crowd(project, PEOPLE))),
        until_all_have_left(lambda _: toggled(ada, project, draw.choice(ids))),
        until_all_have_left(lambda turn: turn % 20 or imported(project, f"file {turn}")),
        until_all_have_left(lambda _: added_up()),
        until_all_have_left(lambda _: added_up()),
        wait,
    )
    assert slots_that_do_not_add_up() == []
    assert_right()
    added_up()
    assert_right()
    assert value("SELECT sum(turns) FROM judged") > 0
