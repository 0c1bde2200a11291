"""What people may do with a run that was ordered, whatever state it is in."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import Conflict
from app.models import Audit, Run, User
from app.runs.verbs import cancel_run
from tests.trained import make_run


@pytest.fixture
def admin(session: Session) -> Person:
    user = User(email="dora@example.org", name="Dora", password_hash="", role="admin")
    session.add(user)
    session.flush()
    return Person(user.id, user.name, "admin")


def test_it_cancels_a_queued_run_at_once(session: Session, admin: Person):
    run = cancel_run(session, admin, make_run(session))
    assert run.state == "cancelled"
    assert run.finished_at is not None


@pytest.mark.parametrize("state", ["claimed", "running"])
def test_it_asks_a_run_to_end_that_a_trainer_has(session: Session, admin: Person, state: str):
    run = cancel_run(session, admin, make_run(session, state=state))
    assert (run.state, run.finished_at) == ("cancelling", None)
    first = run.cancel_requested_at
    assert first is not None
    assert cancel_run(session, admin, run).cancel_requested_at == first


def test_it_can_be_cancelled_twice(session: Session, admin: Person):
    run = cancel_run(session, admin, make_run(session))
    assert cancel_run(session, admin, run).state == "cancelled"
    assert len(session.scalars(select(Audit).where(Audit.action == "run.cancelled")).all()) == 1


@pytest.mark.parametrize("state", ["finished", "failed"])
def test_it_cannot_cancel_what_is_over(session: Session, admin: Person, state: str):
    with pytest.raises(Conflict, match=f"has {state} already"):
        cancel_run(session, admin, make_run(session, state=state))
    assert session.scalars(select(Run.state)).one() == state
