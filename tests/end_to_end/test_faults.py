"""Whatever dies in the middle of a training, nobody need come: the run ends with the weights of one that nobody disturbed.

One place for all stories, with real servers and workers. What dies does so while the trainer keeps the state after step 8: its
file is in storage, its row is not. So the last complete state is the one after step 4 (`place.py` says how that is known).
"""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from celery import Celery
from redis import Redis

from tests.end_to_end.place import EACH, PUBLISHING, STEPS, Place, is_gone, trainers_below, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a busy machine takes its time over ten processes
KEPT, HALTED = EACH, 2 * EACH


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="tb-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        place = Place(Path(name) / "home", Path(name) / "storage")
        with place.up():
            place.freeze()
            yield place


@pytest.fixture(scope="module")
def calm(place: Place) -> list[str]:
    """The weights of a run that nobody disturbs."""
    run_id = place.order()
    until(lambda: place.rows.is_in(run_id, "finished"), "the calm run ends")
    return place.rows.weights(run_id)


@pytest.fixture
def halted(place: Place, calm: list[str]) -> Iterator[tuple[int, Callable[[], None]]]:
    """A run whose trainer waits in the middle of keeping a state, and what lets it go on."""
    with place.rows.gate(HALTED) as open_gate:
        run_id = place.order()
        until(lambda: place.rows.waiting_at(HALTED), "the trainer keeps its second state")
        assert place.rows.ask("SELECT max(step) FROM run_keep WHERE run_id = %s", run_id) == KEPT
        yield run_id, open_gate


def ends_alike(place: Place, run_id: int, calm: list[str], *, attempts: int | None = None) -> None:
    """One checkpoint with these weights, one row for each step, and no file in storage that no row names."""
    until(lambda: place.rows.is_in(run_id, "finished"), "the run ends")
    assert place.rows.weights(run_id) == calm
    assert [row["step"] for row in place.rows.curve(run_id)] == list(range(STEPS))
    assert attempts in {None, place.rows.run(run_id, "attempt")}
    until(lambda: place.stored(run_id) == place.rows.proved(run_id), "every file has its row")


def goes_on(place: Place, run_id: int, before: list[dict[str, object]]) -> None:
    """The steps before the last complete state were not done again: how quick they were is still what it was."""
    assert place.rows.curve(run_id)[:KEPT] == before[:KEPT]


def kill(*processes: psutil.Process) -> None:
    """All of them before any of them is seen to be gone."""
    for one in processes:
        os.kill(one.pid, signal.SIGSTOP)
    for one in processes:
        os.kill(one.pid, signal.SIGKILL)


@pytest.mark.parametrize("dies", ["trainer", "supervisor", "worker", "all three"])
def test_it_goes_on_by_itself_when_they_are_killed(
    place: Place, calm: list[str], halted: tuple[int, Callable[[], None]], dies: str
) -> None:
    run_id, open_gate = halted
    trainer = place.trainer(run_id)
    worker, supervisor = place.worker, trainer.parent()
    assert supervisor is not None
    assert supervisor.ppid() == worker.pid
    before = place.rows.curve(run_id)
    doomed = {"trainer": [trainer], "supervisor": [supervisor], "worker": [worker]}
    kill(*doomed.get(dies, [worker, supervisor, trainer]))
    until(lambda: is_gone(trainer), "the trainer is gone, whoever was killed")
    open_gate()
    place.rows.let_lease_run_out(run_id, fence=1)
    ends_alike(place, run_id, calm)
    goes_on(place, run_id, before)


def test_it_publishes_once_when_it_is_killed_in_the_middle_of_that(place: Place, calm: list[str]) -> None:
    with place.rows.gate(PUBLISHING) as open_gate:
        run_id = place.order()
        until(lambda: place.rows.waiting_at(PUBLISHING), "the trainer publishes")
        kill(place.trainer(run_id))
        open_gate()
        ends_alike(place, run_id, calm, attempts=2)


def test_a_web_server_that_is_killed_is_no_trainers_business(
    place: Place, calm: list[str], halted: tuple[int, Callable[[], None]]
) -> None:
    run_id, open_gate = halted
    web = place.child("uvicorn")
    kill(web)
    until(lambda: is_gone(web), "it is gone")
    until(lambda: place.api("GET", f"/runs/{run_id}")["state"] == "running", "another serves")
    open_gate()
    ends_alike(place, run_id, calm, attempts=1)


def test_an_emptied_broker_loses_messages_and_no_run(
    place: Place, calm: list[str], halted: tuple[int, Callable[[], None]]
) -> None:
    """The second run's message waits behind the first, and is lost with everything else that Redis held."""
    run_id, open_gate = halted
    second = place.order()
    with broker(place) as redis:
        until(lambda: redis.llen("train"), "its message waits")
        redis.flushall()
    kill(place.trainer(run_id))
    open_gate()
    ends_alike(place, run_id, calm, attempts=2)
    ends_alike(place, second, calm)


def test_a_broker_that_is_killed_comes_back_empty_and_no_run_is_lost(
    place: Place, calm: list[str], halted: tuple[int, Callable[[], None]]
) -> None:
    run_id, open_gate = halted
    second, redis = place.order(), place.redis
    kill(redis, place.trainer(run_id))
    until(lambda: is_gone(redis), "it is gone")
    open_gate()
    ends_alike(place, run_id, calm, attempts=2)
    ends_alike(place, second, calm)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_database_that_is_restarted_costs_a_moment(
    place: Place, calm: list[str], halted: tuple[int, Callable[[], None]], how: signal.Signals
) -> None:
    """Its sessions are ended in the middle of their transactions, the trainer's among them; and the lock that held that up."""
    run_id, _ = halted
    before, postgres = place.rows.curve(run_id), place.postgres
    postgres.send_signal(how)
    until(lambda: is_gone(postgres), "it is gone")
    ends_alike(place, run_id, calm)
    goes_on(place, run_id, before)


def test_a_trainer_that_sleeps_until_another_has_taken_over_can_write_nothing(
    place: Place, calm: list[str], halted: tuple[int, Callable[[], None]]
) -> None:
    """As a machine that is suspended, in the middle of a transaction. First its trainer wakes up alone, then all of it."""
    run_id, open_gate = halted
    trainer = place.trainer(run_id)
    with asleep(place.worker) as wake, place.second_worker() as second:
        open_gate()
        place.rows.let_lease_run_out(run_id, fence=1)  # once Postgres has ended that transaction
        ends_alike(place, run_id, calm, attempts=2)
        until(lambda: has_told_its_end(place, second, run_id), "its supervisor has told all")
        told = place.everything_about(run_id)
        trainer.resume()
        until(lambda: is_gone(trainer), "it finds out and ends by itself")
        assert place.everything_about(run_id) == told
        last_seen = place.rows.first_seen_at()
        wake()
        until(lambda: place.rows.first_seen_at() > last_seen, "the worker is awake")
        until(lambda: not trainers_below(place.worker), "it trains nothing")
        assert place.everything_about(run_id) == told
    ends_alike(place, place.order(), calm)


@contextmanager
def asleep(worker: psutil.Process) -> Iterator[Callable[[], None]]:
    """The worker with its pool and its trainer, until the function that is given is called."""
    everybody = [worker, *worker.children(recursive=True)]

    def wake() -> None:
        for one in everybody:
            with suppress(psutil.NoSuchProcess):
                one.resume()

    try:
        for one in everybody:
            one.suspend()
        yield wake
    finally:
        wake()


def has_told_its_end(place: Place, worker: psutil.Process, run_id: int) -> bool:
    log = place.rows.ask("SELECT log FROM run_watch WHERE run_id = %s", run_id)
    return "publishing" in log and not trainers_below(worker)


def test_messages_that_come_twice_or_too_late_change_nothing(
    place: Place, calm: list[str], halted: tuple[int, Callable[[], None]]
) -> None:
    run_id, open_gate = halted
    rings = Celery(broker=place.servers["REDIS_URL"])
    for _ in range(3):
        rings.send_task("runs.train", args=[run_id], queue="train")
    open_gate()
    ends_alike(place, run_id, calm, attempts=1)
    published = place.rows.run(run_id, "fence", "finished_at")
    for _ in range(3):
        rings.send_task("runs.train", args=[run_id], queue="train")
    with broker(place) as redis:
        until(lambda: not redis.llen("train"), "somebody has heard them")
    ends_alike(place, place.order(), calm)
    assert place.rows.run(run_id, "fence", "finished_at") == published
    ends_alike(place, run_id, calm, attempts=1)


def broker(place: Place) -> Redis:
    address = place.servers["REDIS_URL"].removeprefix("redis+socket://").partition("?")[0]
    return Redis(unix_socket_path=address)
