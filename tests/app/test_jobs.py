"""The sweep puts right what was dropped, and touches nothing that is held."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app import doorbell, jobs
from app.access import start_session
from app.db import work_unit
from app.models import BrowserSession, RunKeep, User
from app.models.run import MAX_ATTEMPTS
from app.settings import get_settings
from app.storage import store_file
from tests.ordered import change_run, ordered_run, run_row
from worker import lease
from worker.lease import Claim

pytestmark = pytest.mark.usefixtures("silence")


def held_run(by: User) -> Claim:
    held = lease.claim(ordered_run(by), "train@here")
    assert held is not None
    return held


def let_lease_run_out(run_id: int) -> None:
    change_run(run_id, "lease_until = now() - interval '1 second'")


def test_it_leaves_a_run_alone_whose_trainer_lives(ada: User) -> None:
    held = held_run(ada)
    before = run_row(held.run_id)
    jobs.sweep()
    assert run_row(held.run_id) == before
    assert doorbell.messages_waiting("train") == 0


def test_it_gives_a_run_back_once_when_its_lease_has_run_out(ada: User) -> None:
    held = held_run(ada)
    let_lease_run_out(held.run_id)
    jobs.sweep()
    jobs.sweep()
    assert run_row(held.run_id, ["state", "attempt", "error", "lease_until"]) == ("queued", 1, None, None)
    assert doorbell.messages_waiting("train") == 1


def test_it_shuts_out_the_trainer_that_lost_its_lease(ada: User) -> None:
    slow = held_run(ada)
    let_lease_run_out(slow.run_id)
    jobs.sweep()
    assert lease.renew(slow) is lease.Standing.LOST
    assert run_row(slow.run_id, ["fence"]).fence > slow.fence


def test_it_waits_for_no_row_that_somebody_is_writing(ada: User) -> None:
    """A trainer that sleeps in the middle of a transaction, say; the next sweep finds the row free, or its lease renewed."""
    locked, other = held_run(ada), held_run(ada)
    for held in (locked, other):
        let_lease_run_out(held.run_id)
    with work_unit() as writing:
        writing.execute(text(f"SELECT FROM run WHERE id = {locked.run_id} FOR UPDATE"))
        jobs.sweep()
        assert run_row(other.run_id, ["state"]).state == "queued"
        assert run_row(locked.run_id, ["state"]).state == "claimed"
    jobs.sweep()
    assert run_row(locked.run_id, ["state"]).state == "queued"


def test_it_fails_with_words_a_run_whose_trainers_all_went_away(ada: User) -> None:
    run_id = ordered_run(ada)
    for _ in range(MAX_ATTEMPTS):
        assert lease.claim(run_id, "train@here")
        let_lease_run_out(run_id)
        jobs.sweep()
    row = run_row(run_id, ["state", "error", "finished_at"])
    assert row.state == "failed"
    assert "went away in each of the last 3 attempts" in row.error
    assert row.finished_at is not None


def test_it_cancels_a_run_that_was_to_end_when_its_trainer_went_away(ada: User) -> None:
    held = held_run(ada)
    change_run(held.run_id, "state = 'cancelling', lease_until = now() - interval '1 second'")
    jobs.sweep()
    assert run_row(held.run_id, ["state", "error"]) == ("cancelled", None)


def test_it_rings_again_for_runs_whose_messages_were_lost(ada: User) -> None:
    for _ in range(2):
        ordered_run(ada)
    jobs.sweep()
    assert doorbell.messages_waiting("train") == 2


def test_it_piles_no_rings_on_a_trainer_that_is_busy_or_away(ada: User) -> None:
    ordered_run(ada)
    for _ in range(3):
        jobs.sweep()
    assert doorbell.messages_waiting("train") == 1


def test_it_forgets_what_was_kept_of_runs_that_are_long_over(ada: User, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"weights")
    long_ago = datetime.now(UTC) - timedelta(days=31)
    old, fresh = (ordered_run(ada, state="finished", finished_at=at) for at in (long_ago, datetime.now(UTC)))
    with work_unit() as session:
        for run_id in (old, fresh):
            stored = store_file(f"kept/run-{run_id}/1-5", "state", tmp_path / "state")
            session.add(
                RunKeep(run_id=run_id, step=5, prefix=f"kept/run-{run_id}/1-5", files=[stored.as_json()], told={})
            )
    jobs.sweep()
    with work_unit() as session:
        assert session.scalars(select(RunKeep.run_id)).all() == [fresh]
    kept = Path(get_settings().storage) / "kept"
    assert not (kept / f"run-{old}").exists()
    assert (kept / f"run-{fresh}" / "1-5" / "state").exists()


def test_it_forgets_browsers_that_were_signed_in_long_enough(ada: User) -> None:
    with work_unit() as session:
        start_session(session, ada)
        session.add(BrowserSession(user_id=ada.id, token_hash=b"old", expires_at=datetime.now(UTC) - timedelta(days=1)))
    jobs.sweep()
    with work_unit() as session:
        assert session.scalar(select(func.count()).select_from(BrowserSession)) == 1


def test_it_does_the_other_parts_when_one_breaks(
    ada: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(session: Session) -> int:
        raise ZeroDivisionError(str(session))

    run_id = ordered_run(ada)
    monkeypatch.setattr(jobs, "PARTS", (broken, *jobs.PARTS))
    jobs.sweep()
    assert doorbell.messages_waiting("train") == 1
    assert run_row(run_id, ["state"]).state == "queued"
    assert "broken" in caplog.text


def test_it_comes_back_to_a_part_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    portions = [3, 1, 0]
    monkeypatch.setattr(jobs, "do", lambda _: portions.pop(0))
    monkeypatch.setattr(jobs, "PARTS", (jobs.access.forget_ended_sessions,))
    jobs.sweep()
    assert portions == []


def test_it_is_asked_for_by_the_clock() -> None:
    entry = doorbell.celery.conf.beat_schedule["sweep"]
    assert entry["task"] in doorbell.QUEUES
    assert jobs.celery.tasks[entry["task"]].name == "app.sweep"
