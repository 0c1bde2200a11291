"""The drawing of the states is what statements and the database allow, and nothing else changes a state."""

import itertools
import re

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.models.run import STATES
from app.run_states import LIVE, MOVES, OVER, UNDER_WAY, move
from app.settings import ROOT
from tests.trained import make_dataset, make_run

PAIRS = [(before, after) for before, after in itertools.product(STATES, STATES) if before != after]


def test_every_state_is_drawn_and_either_under_way_or_over():
    assert set(MOVES) == set(STATES) == set(UNDER_WAY) | set(OVER)
    assert set(UNDER_WAY) - {"queued"} == set(LIVE)


def test_the_database_allows_the_same_moves(session: Session):
    dataset = make_dataset(session)

    def is_allowed(before: str, after: str) -> bool:
        run = make_run(session, dataset, state=before)
        try:
            with session.begin_nested():
                session.execute(text("UPDATE run SET state = :state WHERE id = :id"), {"state": after, "id": run.id})
        except IntegrityError:
            return False
        return True

    assert [pair for pair in PAIRS if is_allowed(*pair)] == [pair for pair in PAIRS if pair[1] in MOVES[pair[0]]]


def test_a_move_that_is_not_drawn_is_a_fault():
    with pytest.raises(ValueError, match="does not go from queued to finished"):
        move({"running": "finished", "queued": "finished"})


def test_a_move_finds_only_runs_in_the_states_it_names_and_writes_what_belongs_to_the_new_one(session: Session):
    running, cancelling, queued = (make_run(session, state=state) for state in ("running", "cancelling", "queued"))
    running.lease_until = cancelling.lease_until = session.scalar(select(func.now()))
    session.flush()
    session.execute(
        move({"running": "queued", "cancelling": "cancelled"}), execution_options={"synchronize_session": False}
    )
    for run in (running, cancelling, queued):
        session.refresh(run)
    assert (running.state, running.lease_until, running.finished_at) == ("queued", None, None)
    assert (cancelling.state, cancelling.lease_until) == ("cancelled", None)
    assert cancelling.finished_at is not None
    assert cancelling.cancel_requested_at is not None
    assert (queued.state, queued.cancel_requested_at) == ("queued", None)


def test_nothing_else_writes_the_state_of_a_run():
    sources = [path for folder in ("app", "worker") for path in (ROOT / folder).rglob("*.py")]
    writing = re.compile(r"update\(Run\)[^\n]*(\n[^\n]*){0,3}\bstate=|\brun\.state = ")
    found = {str(path.relative_to(ROOT)) for path in sources if writing.search(path.read_text(encoding="utf-8"))}
    assert found == {"app/run_states.py"}
