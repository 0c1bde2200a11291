"""Who may write what into the row of a run, whoever else believes to be its trainer."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from app.db import work_unit
from app.errors import BadInput
from app.models import Checkpoint, Project, Run, User
from app.models.run import MAX_ATTEMPTS
from tests.ordered import change_run, ordered_run, run_row
from tests.trained import make_checkpoint, make_dataset, make_run, make_trainer
from worker import lease
from worker.base_model import pinned
from worker.lease import Claim, Standing


def claimed(run_id: int, owner: str = "train@here") -> Claim:
    held = lease.claim(run_id, owner)
    assert held is not None
    return held


def test_it_gives_a_run_to_one_of_two_workers_that_claim_at_once(ada: User) -> None:
    run_id = ordered_run(ada)
    start, claims = threading.Barrier(8), list[Claim | None]()

    def claim(number: int) -> None:
        start.wait()
        claims.append(lease.claim(run_id, f"train@{number}"))

    threads = [threading.Thread(target=claim, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claims) == 8
    assert [held for held in claims if held] == [Claim(run_id, fence=1, attempt=1)]


def test_it_holds_a_claimed_run_for_the_time_of_the_lease(ada: User) -> None:
    held = claimed(ordered_run(ada))
    row = run_row(held.run_id, ["state", "owner", "lease_until - started_at AS lease"])
    assert (row.state, row.owner, row.lease) == ("claimed", "train@here", timedelta(seconds=60))


@pytest.mark.parametrize("state", ["claimed", "running", "cancelling", "finished", "failed", "cancelled"])
def test_it_claims_nothing_but_what_waits(ada: User, state: str) -> None:
    assert lease.claim(ordered_run(ada, state=state), "train@here") is None


def test_it_lets_a_run_wait_for_the_base_model_that_an_earlier_run_is_making(ada: User) -> None:
    starter = ordered_run(ada, checkpoint_name="starter")
    waiting = ordered_run(ada, base_model="starter")
    assert lease.claim(waiting, "train@there") is None
    held = claimed(starter)
    assert lease.claim(waiting, "train@there") is None
    lease.fail(held, "died")
    assert lease.claim(waiting, "train@there")


def test_it_waits_for_no_base_model_that_is_there_already(ada: User) -> None:
    first = ordered_run(ada, checkpoint_name="starter", state="finished")
    files = {"files": [], "metrics": {}, "sha256": "", "prefix": "checkpoints/starter/v1"}
    with work_unit() as session:
        session.add(Checkpoint(name="starter", version=1, run_id=first, kind="policy", **files))
    ordered_run(ada, checkpoint_name="starter")
    assert lease.claim(ordered_run(ada, base_model="starter"), "train@here")


def test_a_run_of_a_bound_token_waits_for_a_base_model_within_its_bounds_and_takes_no_other(ada: User) -> None:
    with work_unit() as session:
        theirs, mine = make_dataset(session, "theirs"), make_dataset(session, "mine")
        project = Project(slug="mine", name="Mine", kind="pair")
        session.add(project)
        session.flush()
        mine.project_id = project.id
        maker = make_run(session, mine, checkpoint_name="base", state="running")
        order = {"base_model": "base", "state": "queued", "checkpoint_name": "after"}
        bound = make_run(session, mine, **order, project_ids=[project.id]).id
        make_checkpoint(session, make_run(session, theirs, checkpoint_name="base", state="finished"))
        free = make_run(session, mine, **order).id
    assert lease.claim(bound, "train@here") is None
    assert lease.claim(free, "train@here")
    assert pinned("base") == "base@v1"
    with pytest.raises(BadInput, match="no checkpoint “base”"):
        pinned("base", [project.id])
    with work_unit() as session:
        make_checkpoint(session, session.get_one(Run, maker.id))
        session.execute(update(Run).where(Run.id == maker.id).values(state="finished"))
        make_checkpoint(session, make_run(session, theirs, checkpoint_name="base", state="finished"))
    assert lease.claim(bound, "train@here")
    assert (pinned("base"), pinned("base", [project.id])) == ("base@v3", "base@v2")


def test_it_claims_no_run_that_does_not_exist(ada: User) -> None:
    assert lease.claim(999, "train@here") is None


def test_it_extends_the_lease_with_every_beat(ada: User) -> None:
    held = claimed(ordered_run(ada))
    first = run_row(held.run_id, ["lease_until"]).lease_until
    assert lease.renew(held) is Standing.HELD
    assert run_row(held.run_id, ["lease_until"]).lease_until > first


def test_it_learns_from_its_beat_that_a_person_wants_the_end(ada: User) -> None:
    held = claimed(ordered_run(ada))
    change_run(held.run_id, "state = 'cancelling'")
    assert lease.renew(held) is Standing.CANCELLING


def test_it_can_write_nothing_once_somebody_else_has_the_run(ada: User) -> None:
    stale = claimed(ordered_run(ada))
    change_run(stale.run_id, "state = 'queued'")
    fresh = claimed(stale.run_id, "train@there")
    before = run_row(stale.run_id)
    assert lease.renew(stale) is Standing.LOST
    lease.give_back(stale)
    lease.retry_or_fail(stale, "died")
    lease.fail(stale, "died")
    lease.cancel(stale)
    assert run_row(stale.run_id) == before
    assert lease.renew(fresh) is Standing.HELD


def test_it_leaves_a_run_as_its_trainer_has_closed_it(ada: User) -> None:
    held = claimed(ordered_run(ada))
    change_run(held.run_id, "state = 'running'")
    change_run(held.run_id, "state = 'finished'")
    assert lease.renew(held) is Standing.CLOSED
    lease.fail(held, "died")
    lease.give_back(held)
    assert run_row(held.run_id, ["state", "error"]) == ("finished", None)


def test_it_does_not_count_an_attempt_that_ended_through_no_fault_of_the_run(ada: User) -> None:
    held = claimed(ordered_run(ada))
    lease.give_back(held)
    assert run_row(held.run_id, ["state", "attempt", "lease_until"]) == ("queued", 0, None)
    assert claimed(held.run_id) == Claim(held.run_id, fence=2, attempt=1)


def test_it_tries_a_run_again_until_its_last_attempt(ada: User) -> None:
    run_id = ordered_run(ada)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert run_row(run_id, ["state"]).state == "queued"
        held = claimed(run_id)
        assert held.attempt == attempt
        lease.retry_or_fail(held, f"died {attempt} times")
    row = run_row(run_id, ["state", "error", "finished_at"])
    assert (row.state, row.error) == ("failed", f"died {MAX_ATTEMPTS} times")
    assert row.finished_at is not None


def test_it_cancels_rather_than_queues_what_a_person_wants_to_end(ada: User) -> None:
    held = claimed(ordered_run(ada))
    change_run(held.run_id, "state = 'cancelling'")
    lease.retry_or_fail(held, "died")
    row = run_row(held.run_id, ["state", "finished_at"])
    assert row.state == "cancelled"
    assert row.finished_at is not None


def test_the_lowest_priority_is_taken_first_and_then_the_oldest(ada: User) -> None:
    usual = [ordered_run(ada) for _ in range(2)]
    patient, urgent = ordered_run(ada, priority=5), ordered_run(ada, priority=-1)
    taken = []
    while (run_id := lease.most_urgent("train@here")) is not None:
        assert lease.claim(run_id, "train@here")
        taken.append(run_id)
    assert taken == [urgent, *usual, patient]


def test_a_run_that_waits_for_its_base_model_holds_up_no_other(ada: User) -> None:
    first = ordered_run(ada, checkpoint_name="own", state="running", lease_until=datetime.now(UTC) + timedelta(hours=1))
    waiting, other = ordered_run(ada, base_model="own", priority=-9), ordered_run(ada)
    assert first < waiting
    assert lease.most_urgent("train@here") == other


def test_a_trainer_leaves_what_its_devices_have_not_to_another(ada: User) -> None:
    large = ordered_run(ada, settings={"processes": 4}, priority=-5)
    rounded = ordered_run(ada, settings={"base_weights": "4-bit"}, priority=-4)
    strange = ordered_run(ada, settings={"processes": "four"})
    limits = [{"name": "processes", "high": 2, "narrowed": True}, {"name": "seed", "high": 0}]
    limits += [{"name": "base_weights", "choices": ["full"], "narrowed": True}]
    with work_unit() as session:
        method = session.get_one(Run, large).method
        make_trainer(session, "train@small", methods=[{"name": method, "settings": limits}])
    assert lease.most_urgent("train@small") == strange
    assert lease.most_urgent("train@large") == large
    assert rounded != strange
