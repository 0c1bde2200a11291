"""Several people and the project's owner at once, in any order: slots are neither lost nor invented, and no work is lost."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app import db
from app.errors import Conflict, NotFound
from app.judgments import service as judgments
from app.judgments.service import Stored
from app.kinds import Verdict
from app.models import Project, User
from app.projects.service import change_settings
from app.prompts import items as owner
from app.prompts.items import Managed, managed_item
from app.queue.service import Turn, expire, release, renew
from tests.app.queue.test_races import at_once, crowd
from tests.queued import asked, judged, make_gold, person_of, queued, slots_that_do_not_add_up, undone, value, write

# What threads do is not the same twice, so that a failure cannot be made smaller.
DRAWN = (Phase.generate,)
_number = count()
SOME_LEAVE = "UPDATE assignment SET expires_at = now() WHERE state = 'open' AND (id + :odd) % 2 = 0"


class Life:
    """One person's: what they were handed and what they said, with moves drawn by a seed."""

    def __init__(self, user: User, project: Project, seed: int) -> None:
        self.user, self.project, self.draw = user, project, random.Random(seed)
        self.turns: list[Turn] = []
        self.said: list[Stored] = []

    def live(self, moves: int) -> None:
        acts = (
            self.claim,
            self.claim,
            self.judge,
            self.judge,
            self.skip,
            self.undo,
            self.revise,
            self.renew,
            self.release,
        )
        for _ in range(moves):
            with suppress(Conflict, NotFound):
                self.draw.choice(acts)()

    def claim(self) -> None:
        turn = asked(self.user, self.project)
        self.turns += [turn] if turn else []

    def judge(self) -> None:
        if self.turns:
            self.said.append(judged(self.user, self.draw.choice(self.turns)))

    def skip(self) -> None:
        if self.turns:
            self.said.append(judged(self.user, self.draw.choice(self.turns), outcome="skip"))

    def undo(self) -> None:
        if self.said:
            undone(self.user, self.draw.choice(self.said))

    def revise(self) -> None:
        if self.said:
            with db.work_unit() as session:
                self.said.append(
                    judgments.revise(
                        session,
                        person_of(self.user),
                        self.draw.choice(self.said).judgment["id"],
                        Verdict("tie"),
                        key=f"revised {next(_number)}",
                    )
                )

    def renew(self) -> None:
        if self.turns:
            with db.work_unit() as session:
                renew(session, self.user.id, self.draw.choice(self.turns).assignment_id)

    def release(self) -> None:
        if self.turns:
            with db.work_unit() as session:
                release(session, self.user.id, self.turns[-1].assignment_id)


def own(ada: User, project: Project, people: Sequence[User], seed: int, moves: int) -> None:
    """What the owner does meanwhile, and the sweep: each move is a transaction of its own."""
    draw = random.Random(seed)
    ids = value("SELECT array_agg(id) FROM item WHERE project_id = :id", id=project.id)
    best_first = "SELECT response_ids FROM item WHERE id = :id"

    def gold(managed: Managed) -> None:
        keys = value(best_first, id=managed.item.id)
        owner.make_gold(managed, Verdict("ranked", {keys[0]: 1, keys[1]: 2}), is_training=draw.random() < 0.5)

    verbs: list[Callable[[Managed], None]] = [
        owner.set_aside,
        owner.open_again,
        owner.unreserve,
        owner.make_ordinary,
        gold,
        lambda managed: owner.reserve(managed, draw.choice(people)),
        lambda managed: owner.set_priority(managed, draw.choice([-1.0, None])),
    ]
    for _ in range(moves):
        chosen = draw.random()
        with suppress(Conflict, NotFound, owner.BadInput), db.work_unit() as session:
            if chosen < 0.15:
                change_settings(session, person_of(ada), session.merge(project), judgments_per_item=draw.randint(1, 3))
            elif chosen < 0.4:
                expire(session)
            else:
                draw.choice(verbs)(managed_item(session, person_of(ada), session.merge(project), draw.choice(ids)))
        if chosen < 0.4:
            write(SOME_LEAVE, odd=draw.randint(0, 1))


def check(ada: User, users: Sequence[User], seed: int, *, moves: int, rounds: int = 1) -> None:
    slug = f"crowd-{next(_number)}"
    order = ("random", "imported", "priority")[seed % 3]
    project = queued(*users, slug=slug, items=6, wanted=2, item_order=order, repeat_share=0.3, gold_share=0.3)
    make_gold(value("SELECT min(id) FROM item WHERE project_id = :id", id=project.id))
    lives = [Life(user, project, seed + place) for place, user in enumerate(users)]
    for number in range(rounds):
        at_once(
            *[lambda life=life: life.live(moves) for life in lives],
            lambda number=number: own(ada, project, users, seed + number, moves),
        )
        assert slots_that_do_not_add_up() == []
    sent = sum(len(life.said) for life in lives)
    kept = value("SELECT count(*) FROM judgment WHERE project_id = :id AND NOT withdrawn", id=project.id)
    assert kept == sent, "whatever was sent and taken is there, in time or late"
    twice = "SELECT count(*) FROM (SELECT FROM assignment GROUP BY item_id, user_id HAVING count(*) > 1) AS t"
    assert value(twice) == 0


@given(seed=st.integers(0, 2**32))
@settings(max_examples=6, phases=DRAWN, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slots_add_up_whatever_everybody_does_at_once(ada: User, people: list[User], seed: int):
    check(ada, people, seed, moves=12)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, phases=DRAWN, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slots_add_up_in_many_crowds(ada: User, people: list[User], seed: int):
    check(ada, people, seed, moves=30, rounds=3)


@pytest.fixture
def people(database: Engine) -> list[User]:
    return crowd(queued(items=0, slug="elsewhere"), 6)
