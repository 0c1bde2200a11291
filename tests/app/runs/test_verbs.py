"""What people may do with a run that was ordered, whatever state it is in."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import db
from app.access import Person
from app.errors import BadInput, Conflict
from app.models import Audit, Run, RunKeep, User
from app.runs.verbs import cancel_run, extend_run, resume_run
from tests.trained import make_checkpoint, make_run, make_trainer


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


def keep(session: Session, run: Run) -> None:
    session.add(RunKeep(run_id=run.id, step=run.step, prefix="kept/run-1/1-40", files=[], told={}))
    session.flush()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_it_resumes_what_failed_or_was_cancelled(session: Session, admin: Person, state: str):
    run = resume_run(session, admin, make_run(session, state=state, error="died", in_vain=3))
    assert (run.state, run.error, run.finished_at, run.cancel_requested_at, run.in_vain) == (
        "queued",
        None,
        None,
        None,
        0,
    )
    assert session.info["doorbells"] == [("runs.train", run.id)]


@pytest.mark.parametrize("state", ["queued", "claimed", "running", "cancelling", "finished"])
def test_it_resumes_nothing_else(session: Session, admin: Person, state: str):
    with pytest.raises(Conflict, match="Extend it" if state == "finished" else "under way"):
        resume_run(session, admin, make_run(session, state=state))


@pytest.mark.parametrize(
    ("settings", "more", "longer"),
    [
        ({"max_steps": 40}, {"steps": 10}, {"max_steps": 50}),
        ({"epochs": 2}, {"epochs": 3}, {"epochs": 5}),
        ({}, {"epochs": 1}, {"epochs": 2}),
        ({"epochs": 2, "max_steps": 0}, {"steps": 5}, {"epochs": 2, "max_steps": 45}),
    ],
)
def test_it_extends_a_finished_run(
    session: Session, admin: Person, settings: dict[str, int], more: dict[str, int], longer: dict[str, int]
):
    run = make_run(session, state="finished", settings=settings, step=40)
    keep(session, run)
    extend_run(session, admin, run, **more)
    assert (run.state, run.settings) == ("queued", longer)
    assert session.info["doorbells"] == [("runs.train", run.id)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "one of the two"),
        ({"steps": 1, "epochs": 1}, "one of the two"),
        ({"steps": 0}, "not for fewer"),
        ({"epochs": 1}, "counts steps"),
        ({"steps": 999_999}, "max_steps"),
    ],
)
def test_it_says_why_it_cannot_extend(session: Session, admin: Person, more: dict[str, int], words: str):
    make_trainer(session)
    run = make_run(session, state="finished", step=40)
    keep(session, run)
    with pytest.raises(BadInput, match=words):
        extend_run(session, admin, run, **more)
    assert run.state == "finished"


def test_it_extends_nothing_whose_state_is_gone(session: Session, admin: Person):
    with pytest.raises(Conflict, match="no longer kept"):
        extend_run(session, admin, make_run(session, state="finished"), steps=1)


def test_it_extends_nothing_that_is_not_finished(session: Session, admin: Person):
    with pytest.raises(Conflict, match="the state of this one is failed"):
        extend_run(session, admin, make_run(session, state="failed"), steps=1)


def test_programs_resume_and_extend(ada_api: TestClient):
    with db.work_unit() as session:
        failed, finished = make_run(session, state="failed"), make_run(session, state="finished", step=40)
        keep(session, finished)
    answer = ada_api.post(f"/api/v1/runs/{failed.id}/resume")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    answer = ada_api.post(f"/api/v1/runs/{finished.id}/extend", json={"steps": 2})
    assert (answer.status_code, answer.json()["settings"]["max_steps"]) == (202, 42)
    assert ada_api.post(f"/api/v1/runs/{finished.id}/extend", json={"steps": 2}).status_code == 409
    assert ada_api.post(f"/api/v1/runs/{failed.id}/extend", json={"steps": -1}).status_code == 422


def test_a_run_that_was_ordered_with_few_settings_counts_epochs(ada_browser: TestClient):
    """As the starter is, by the first start."""
    with db.work_unit() as session:
        run = make_run(session, state="finished", settings={"epochs": 3})
        keep(session, run)
    assert "More epochs" in ada_browser.get(f"/runs/{run.id}").text
    ada_browser.post(f"/runs/{run.id}/extend", data={"more": "2"})
    with db.work_unit() as session:
        assert session.get_one(Run, run.id).settings == {"epochs": 5}


def test_people_resume_and_extend_with_and_without_htmx(ada_browser: TestClient):
    with db.work_unit() as session:
        failed, finished = make_run(session, state="failed"), make_run(session, state="finished", step=40)
        keep(session, finished)
        for _ in range(2):  # extended before
            make_checkpoint(session, finished)
    assert "Resume the run" in ada_browser.get(f"/runs/{failed.id}").text
    assert "Cancel the run" in ada_browser.post(f"/runs/{failed.id}/resume", headers={"HX-Request": "true"}).text
    page = ada_browser.get(f"/runs/{finished.id}").text
    assert "More steps" in page
    assert "/checkpoints/2" in page
    assert ada_browser.get("/runs").text.count("pairs-dpo</a>") == 2
    assert ada_browser.post(f"/runs/{finished.id}/extend", data={"more": "x"}).status_code == 422
    answer = ada_browser.post(f"/runs/{finished.id}/extend", data={"more": "10"})
    assert answer.headers["location"] == f"/runs/{finished.id}"
    with db.work_unit() as session:
        assert session.get_one(Run, finished.id).settings["max_steps"] == 50
