"""Whatever people do in whatever order, slots are neither lost nor invented."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app import db
from app.access import Person
from app.errors import Conflict, NotFound
from app.judgments import service
from app.judgments.service import Stored
from app.kinds import Verdict
from app.models import Project, User
from app.queue.service import Turn, expire, release
from tests.queued import asked, judged, person_of, queued, slots_that_do_not_add_up, undone, value

_number: Iterator[int] = count()
ACTS = ("claim", "judge", "skip", "judge again", "undo", "revise", "release", "leave", "sweep")
# Who acts, what they do, and which of the turns or judgments they had they do it to, counted from the last.
STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ACTS), st.integers(0, 3)), min_size=5, max_size=40)


@dataclass
class Story:
    """What three people did so far."""

    project: Project
    users: Sequence[User]
    turns: dict[int, list[Turn]] = field(default_factory=lambda: defaultdict(list))
    judgments: dict[int, list[Stored]] = field(default_factory=lambda: defaultdict(list))

    def act(self, who: int, what: str, which: int) -> None:
        user, turns, judgments = self.users[who], self.turns[who], self.judgments[who]
        turn = turns[-1 - which] if which < len(turns) else None
        judgment = judgments[-1 - which] if which < len(judgments) else None
        if what == "claim":
            claimed = asked(user, self.project)
            turns.extend([claimed] if claimed else [])
        elif what == "sweep":
            with db.work_unit() as session:
                expire(session)
        elif what in {"undo", "revise"} and judgment:
            judgments.append(undone(user, judgment) if what == "undo" else revised(user, judgment))
        elif what == "leave" and turn:
            value("UPDATE assignment SET expires_at = now() WHERE id = :id RETURNING 1", id=turn.assignment_id)
        elif what == "release" and turn:
            with db.work_unit() as session:
                release(session, user.id, turn.assignment_id)
        elif turn:
            judgments.append(judged(user, turn, outcome="skip") if what == "skip" else judged(user, turn))


def revised(user: User, stored: Stored) -> Stored:
    person: Person = person_of(user)
    with db.work_unit() as session:
        key = f"revised {next(_number)}"
        return service.revise(session, person, stored.judgment["id"], Verdict("tie"), key=key)


def check(users: Sequence[User], steps: Sequence[tuple[int, str, int]], items: int, wanted: int) -> None:
    story = Story(queued(*users, slug=f"story-{next(_number)}", items=items, wanted=wanted), users)
    for step in steps:
        with suppress(Conflict, NotFound):
            story.act(*step)
        assert slots_that_do_not_add_up() == []
    in_force = value("SELECT count(*) FROM judgment WHERE is_current AND outcome = 'ranked'")
    assert value("SELECT count(*) FROM preference WHERE is_current") == in_force


LAST_SLOT_LOST_AND_FOUND = [
    (0, "claim", 0), (0, "skip", 0), (1, "claim", 0), (0, "undo", 0), (0, "judge", 0), (1, "leave", 0),
    (2, "sweep", 0), (0, "revise", 0), (1, "judge", 0), (0, "undo", 0), (0, "undo", 1), (2, "claim", 0),
]  # fmt: skip


@example(steps=LAST_SLOT_LOST_AND_FOUND, items=1, wanted=1)
@given(steps=STEPS, items=st.integers(1, 2), wanted=st.integers(1, 2))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slots_always_add_up(
    ada: User, ben: User, cleo: User, steps: list[tuple[int, str, int]], items: int, wanted: int
):
    check((ada, ben, cleo), steps, items, wanted)


@pytest.mark.slow
@given(steps=STEPS, items=st.integers(1, 3), wanted=st.integers(1, 3))
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slots_add_up_in_500_stories(
    ada: User, ben: User, cleo: User, steps: list[tuple[int, str, int]], items: int, wanted: int
):
    check((ada, ben, cleo), steps, items, wanted)
