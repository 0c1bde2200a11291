"""Thirty-two people at once, none of them careful: whatever they do, the books balance and nothing said is lost.

Some double-click, some have two tabs, some walk away, some send late, some take back what they said, some send nonsense.
Leases run out beneath them all the time. Real server processes; a fixed number of deeds a person.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import httpx
import pytest
from sqlalchemy import Engine, text

from app import db
from app.models import User
from app.queue.service import expire
from benchmarks.servers import served
from tests.annotator import Annotator, Turn, turn_on
from tests.conftest import password_hash
from tests.queued import queued, slots_that_do_not_add_up
from tests.voted import tuples_that_differ

pytestmark = pytest.mark.slow
PEOPLE = 32
DEEDS = 25
ITEMS = 150
WANTED = 3
# What an answer may be at worst: refused with words for people. Never a failure of ours.
WELL = {200, 422}


@pytest.fixture
def address(database: Engine, tmp_path: Path) -> Iterator[str]:
    with served("app.main:app", 2, tmp_path / "web.log") as (port, _):
        yield f"http://127.0.0.1:{port}"


class Careless:
    """One person with one habit. `acknowledged` are the keys of which a fragment said that it was stored."""

    def __init__(self, browser: Annotator, habit: str, seed: int) -> None:
        self.browser = browser
        self.habit: Callable[[Turn], object] = getattr(self, habit)
        self.draw = random.Random(seed)
        self.acknowledged: list[str] = []

    def live(self) -> None:
        for _ in range(DEEDS):
            turn = self.browser.look("words")
            if turn is not None:
                self.habit(turn)

    def form(self, turn: Turn) -> dict[str, str]:
        choice = self.draw.choice([*turn.texts, *turn.texts, "tie", "all_bad", "skip"])
        return turn.filled(choice if choice not in turn.texts else _first(turn, choice))

    def send(self, turn: Turn, form: dict[str, str]) -> httpx.Response:
        answer = self.browser.send(turn.form.action, form)
        assert answer.status_code in WELL, f"{answer.status_code} {answer.text[:500]}"
        if f'data-stored="{turn.assignment}"' in answer.text:
            self.acknowledged.append(form["key"])
        return answer

    def diligent(self, turn: Turn) -> Turn | None:
        return turn_on(self.send(turn, self.form(turn)).text)

    def double_clicking(self, turn: Turn) -> None:
        form = self.form(turn)
        with ThreadPoolExecutor(3) as fingers:
            list(fingers.map(lambda _: self.send(turn, form), range(3)))

    def two_tabs(self, turn: Turn) -> None:
        """Both tabs show the same turn, and say something else about it at once."""
        other = self.browser.look("words") or turn
        with ThreadPoolExecutor(2) as tabs:
            list(tabs.map(lambda one: self.send(one, self.form(one)), (turn, other)))

    def walking_away(self, turn: Turn) -> None:
        """Now and then they do judge."""
        if self.draw.random() < 0.3:
            self.diligent(turn)

    def late(self, turn: Turn) -> None:
        """Their lease has run out, and been taken back or not, when they send."""
        run_out("WHERE id = :id", id=int(turn.assignment))
        if self.draw.random() < 0.5:
            sweep()
        self.diligent(turn)

    def undoing(self, turn: Turn) -> None:
        """Taken back, twice at once, and judged again or left."""
        after = self.diligent(turn)
        if after is None or after.undo is None:
            return
        undo = after.undo
        with ThreadPoolExecutor(2) as fingers:
            list(fingers.map(lambda _: self.browser.send(undo.action, undo.sent()), range(2)))

    def nonsense(self, turn: Turn) -> None:
        """A form that no page has made: a foreign response, another's turn, no key."""
        form = self.form(turn)
        broken = [{"choice": "banana"}, {"assignment": str(int(turn.assignment) + 1)}, {"key": ""}, {"assignment": "x"}]
        answer = self.browser.send(turn.form.action, form | self.draw.choice(broken))
        assert answer.status_code in WELL | {404}, answer.text[:500]
        self.diligent(turn)


def _first(turn: Turn, best: str) -> dict[str, int]:
    return {words: 1 if key == best else 2 for key, words in turn.texts.items()}


HABITS = ("diligent", "double_clicking", "two_tabs", "walking_away", "late", "undoing", "nonsense", "diligent")


def run_out(which: str, **values: object) -> None:
    with db.work_unit() as session:
        session.execute(text(f"UPDATE assignment SET expires_at = now() - interval '1 second' {which}"), values)


def sweep() -> None:
    with db.work_unit() as session:
        expire(session)


def time_goes_by(is_over: Event) -> None:
    """A tenth of the open leases run out, again and again, and are swept."""
    while not is_over.wait(0.2):
        run_out("WHERE state = 'open' AND id % 10 = (extract(epoch FROM now()) * 5)::int8 % 10")
        sweep()


def count(statement: str) -> int:
    with db.work_unit() as session:
        return int(session.execute(text(statement)).scalar_one())


def keys_stored() -> set[str]:
    with db.work_unit() as session:
        return set(session.execute(text("SELECT client_key FROM judgment")).scalars())


def test_thirty_two_careless_people_leave_the_books_in_balance(address: str) -> None:
    with db.work_unit() as session:
        crowd = [
            User(email=f"w{n}@example.org", name=f"W{n}", role="annotator", password_hash=password_hash("crowd"))
            for n in range(PEOPLE)
        ]
        session.add_all(crowd)
    queued(*crowd, items=ITEMS, wanted=WANTED)
    is_over = Event()
    with ExitStack() as stack, ThreadPoolExecutor(PEOPLE + 1) as desks:
        browsers = [
            stack.enter_context(Annotator(address, user.email or "", "crowd-password", is_htmx=at % 4 != 3))
            for at, user in enumerate(crowd)
        ]
        people_at_work = [Careless(one, HABITS[at % len(HABITS)], at) for at, one in enumerate(browsers)]
        clock = desks.submit(time_goes_by, is_over)
        try:
            list(desks.map(Careless.live, people_at_work))
        finally:
            is_over.set()
            clock.result()
    said = [key for one in people_at_work for key in one.acknowledged]
    assert len(said) > PEOPLE * DEEDS / 3, "the story has happened"
    assert set(said) <= keys_stored(), "what was acknowledged is there"
    assert (
        count(
            "SELECT count(*) FROM (SELECT FROM judgment GROUP BY assignment_id, client_key HAVING count(*) > 1) AS twice"
        )
        == 0
    )
    assert slots_that_do_not_add_up() == []
    assert tuples_that_differ() == []
    overfull = """SELECT count(*) FROM (
        SELECT FROM item JOIN judgment ON judgment.item_id = item.id AND is_current AND counted
        GROUP BY item.id HAVING count(*) > item.wanted) AS overfull"""
    assert count(overfull) == 0
    assert count("SELECT count(*) FROM judgment WHERE NOT is_current") > 0, "somebody took something back"
