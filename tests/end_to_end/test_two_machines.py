"""Two machines that share nothing but Postgres, a broker and a bucket, each with a web server and workers.

Before the second machine goes on with a run that ended on the first one, the first one is gone with everything that was in its
folder.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import httpx
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tests.end_to_end.machine import Machine, until
from tests.end_to_end.place import EACH, STEPS, Rows
from tests.end_to_end.servers import RABBITMQ, PartGate, bucket, postgres_over_tcp, rabbitmq, redis_over_tcp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a busy machine takes its time over eight processes
RECORDS = [
    {"prompt": f"How much is {n} and {n}?", "chosen": f"{2 * n}", "rejected": f"It is {3 * n + 1}."} for n in range(24)
]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def part_gate() -> Iterator[PartGate]:
    gate = PartGate()
    yield gate
    gate.is_closed = False


@pytest.fixture
def machines(folder: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Machine, Machine]]:
    """Both serve; the tables are there, and nobody else has touched any of it."""
    broker = rabbitmq if getattr(request, "param", "redis") == "rabbitmq" else redis_over_tcp
    gate = request.getfixturevalue("part_gate") if "part_gate" in request.fixturenames else None
    with ExitStack() as stack:
        shared = {
            "DATABASE_URL": stack.enter_context(postgres_over_tcp(folder / "database")),
            "REDIS_URL": stack.enter_context(broker(folder / "broker")),
            "TRAINER_LEASE_S": "15",
            "OMP_NUM_THREADS": "1",
            **stack.enter_context(bucket("shelf", gate)),
        }
        both = Machine("one", folder / "one", shared), Machine("two", folder / "two", shared)
        both[0].tiebreak("migrate")
        for machine in both:
            stack.callback(machine.stop)
            machine.start("web")
        until(lambda: all(machine.is_ready() for machine in both), list(both))
        yield both


def signed_up(machine: Machine) -> str:
    """The token of a first admin."""
    machine.tiebreak("user", "add", "ada@example.org", "--role", "admin")
    scopes = "judge,import,export,train,read,admin"
    return machine.tiebreak("token", "create", "--user", "ada@example.org", "--scopes", scopes)


def frozen(api: httpx.Client) -> dict[str, Any]:
    api.post("/projects", json={"slug": "sums", "name": "Sums", "kind": "pair"}).raise_for_status()
    lines = "\n".join(json.dumps(record) for record in RECORDS)
    headers = {"Content-Type": "application/x-ndjson"}
    imported = api.post("/projects/sums/items", content=lines, headers=headers)
    assert imported.json()["judgments"] == len(RECORDS), imported.text
    answer = api.post("/projects/sums/datasets", json={"name": "sums", "split": {"test": 0.2, "seed": 0}})
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def order(api: httpx.Client, name: str, steps: int, **more: int) -> int:
    settings = {"max_steps": steps, "groups_per_step": 4} | more
    order = {"method": "sft", "dataset": "sums", "base_model": "blank", "settings": settings, "name": name}
    return int(api.post("/runs", json=order).raise_for_status().json()["id"])


def told_of(api: httpx.Client, run_id: int) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/runs/{run_id}").raise_for_status().json()
    return found


def trainers(api: httpx.Client) -> set[str]:
    """Those alive, by what the web server tells Prometheus."""
    told = api.get(str(api.base_url).replace("/api/v1/", "/metrics")).raise_for_status().text
    rows = [line for line in told.splitlines() if line.startswith("tiebreak_trainer_last_seen_seconds{")]
    return {line.partition('trainer="')[2].partition('"')[0] for line in rows}


def downloaded(api: httpx.Client, place: str) -> dict[str, str]:
    """Every file of a checkpoint or a dataset, with the sum of what came."""
    files = api.get(place).raise_for_status().json()["files"]
    sums = {}
    for file in files:
        body = api.get(f"{place}/files/{file['path']}").raise_for_status().content
        sums[file["path"]] = hashlib.sha256(body).hexdigest()
        assert sums[file["path"]] == file["sha256"]
    return sums


def owners(machine: Machine, runs: list[int]) -> dict[int, str]:
    """Which worker has each run that is in training by now, by its log in the folder of the machine."""
    return {run_id: machine.name for run_id in runs if list((machine.home / "runs" / str(run_id)).glob("attempt-*"))}


def test_one_worker_is_killed_and_the_other_goes_on_and_takes_its_run(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    rows = Rows(one.shared["DATABASE_URL"])
    token = signed_up(two)
    rows.make_gates()
    with one.api(token) as here, two.api(token) as there, rows.gate(EACH) as open_gate:
        dataset = frozen(here)
        for machine in machines:
            machine.start("train")
            machine.start("app")
        until(lambda: trainers(here) == {"train@one", "train@two"}, list(machines))
        runs = [order(api, name, STEPS, save_steps=EACH) for api, name in ((here, "first"), (there, "second"))]
        until(lambda: rows.waiting_at(EACH) == len(runs), list(machines))
        held = owners(one, runs) | owners(two, runs)
        assert set(held.values()) == {"one", "two"}

        one.kill("train")
        open_gate()
        (lost,) = (run_id for run_id, name in held.items() if name == "one")
        (kept,) = (run_id for run_id, name in held.items() if name == "two")
        until(lambda: told_of(here, kept)["state"] == "finished", list(machines))
        until(lambda: told_of(there, lost)["state"] == "finished", list(machines))
        assert (told_of(there, kept)["attempt"], told_of(there, lost)["attempt"]) == (1, 2)

        for run_id in runs:
            place = f"/checkpoints/{told_of(here, run_id)['checkpoint']}"
            assert downloaded(here, place) == downloaded(there, place)
        place = f"/datasets/{dataset['id']}"
        assert downloaded(here, place) == downloaded(there, place)
    assert list(two.home.rglob("*.safetensors")) == []  # the machine that died may have left what it was about to send


def is_in(api: httpx.Client, run_id: int, state: str) -> bool:
    run = told_of(api, run_id)
    assert run["state"] in {"queued", "claimed", "running", "cancelling", state}, run["error"]
    return bool(run["state"] == state)


def beats(rows: Rows, run_id: int) -> None:
    """Waits until the run's supervisor has heard what its row says now, and has done what that asks for.

    The first beat may have been under way; once the third lease is there, whatever the second one heard has been done.
    """
    for _ in range(3):
        lease = rows.run(run_id, "lease_until")
        until(lambda before=lease: rows.run(run_id, "lease_until") != before, [])  # type: ignore[misc]  # mypy knows no defaults of a lambda


def test_a_run_that_ended_on_one_machine_goes_on_from_there_on_another(
    machines: tuple[Machine, Machine], part_gate: PartGate
) -> None:
    """Cancelled, failed and finished: each ends with the weights of a run that one machine trained without a break."""
    one, two = machines
    rows = Rows(one.shared["DATABASE_URL"])
    token = signed_up(one)
    rows.make_gates()
    with one.api(token) as here, two.api(token) as there:
        frozen(here)
        ordered = partial(order, here, "sums", STEPS, save_steps=EACH)
        one.start("train")
        until(lambda: trainers(here) == {"train@one"}, list(machines))
        calm = ordered()
        until(lambda: is_in(here, calm, "finished"), list(machines))
        here.post(f"/runs/{calm}/extend", json={"steps": EACH}).raise_for_status()
        until(lambda: is_in(here, calm, "finished"), list(machines))

        part_gate.is_closed = True
        cancelled = ordered()
        until(part_gate.is_reached.is_set, list(machines))
        here.post(f"/runs/{cancelled}/cancel").raise_for_status()
        beats(rows, cancelled)
        part_gate.is_closed = False
        until(lambda: is_in(here, cancelled, "cancelled"), list(machines))
        assert EACH <= told_of(here, cancelled)["step"] < STEPS
        with rows.gate(EACH) as open_gate:
            failed = ordered()
            until(lambda: rows.waiting_at(EACH) == 1, list(machines))
            in_its_way = one.home / "runs" / str(failed) / "scratch"
            rmtree(in_its_way)
            in_its_way.touch()
            open_gate()
            until(lambda: told_of(here, failed)["state"] == "failed", list(machines))
            assert "goes on from step 4" in told_of(here, failed)["error"]
        finished = ordered()
        until(lambda: is_in(here, finished, "finished"), list(machines))
        one.stop()
        rmtree(one.home)

        two.start("train")
        for run_id in (cancelled, failed):
            there.post(f"/runs/{run_id}/resume").raise_for_status()
        there.post(f"/runs/{finished}/extend", json={"steps": EACH}).raise_for_status()
        for run_id in (cancelled, failed, finished):
            until(lambda run_id=run_id: is_in(there, run_id, "finished"), list(machines))  # type: ignore[misc]  # mypy knows no defaults of a lambda
        whole, extended = rows.weights(calm)
        assert rows.weights(cancelled) == [whole]
        assert rows.weights(failed) == [whole]
        assert rows.weights(finished) == [whole, extended]
        assert whole != extended


def test_an_upload_that_is_killed_in_its_middle_is_no_file_and_the_run_goes_on(
    machines: tuple[Machine, Machine], part_gate: PartGate
) -> None:
    """A state travels in several parts. What remains of it is known to S3 alone, where the sweep ends it once it is old, as it does
    with one that is there before. It looks once an hour, and every upload is old to moto, so it must have looked before the story.
    """
    one, two = machines
    rows = Rows(two.shared["DATABASE_URL"])
    token = signed_up(two)
    httpx.post(
        f"{two.shared['S3_ENDPOINT']}/shelf/tiebreak/kept/run-0/1-1/state.safetensors?uploads"
    ).raise_for_status()
    with two.api(token) as there:
        frozen(there)
        ordered = partial(order, there, "sums", STEPS, save_steps=EACH)
        two.start("app")
        until(lambda: not shelf().multiparts, list(machines))
        one.start("train")
        until(lambda: trainers(there) == {"train@one"}, list(machines))
        calm = ordered()
        until(lambda: is_in(there, calm, "finished"), list(machines))

        part_gate.is_closed = True
        run_id = ordered()
        until(part_gate.is_reached.is_set, list(machines))
        one.kill("train")
        part_gate.is_closed = False
        begun = {upload.key_name for upload in shelf().multiparts.values()}
        assert begun
        assert all(name.startswith(f"tiebreak/kept/run-{run_id}/") for name in begun)
        assert rows.proved(run_id) == set() == stored(f"kept/run-{run_id}")
        assert two.tiebreak("verify").endswith("none of them wrong")

        two.start("train")
        until(lambda: is_in(there, run_id, "finished"), list(machines))
        assert told_of(there, run_id)["attempt"] > 1
        assert rows.weights(run_id) == rows.weights(calm)
        assert stored("kept") | stored("checkpoints") == rows.proved(run_id) | rows.proved(calm)


def shelf() -> Any:
    """The bucket as moto has it."""
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["shelf"]


def stored(prefix: str) -> set[str]:
    """Every file below it that can be seen in the bucket."""
    names = {name.removeprefix("tiebreak/") for name in shelf().keys}
    return {name for name in names if name.startswith(prefix)}


@pytest.mark.skipif(not RABBITMQ.exists(), reason="RabbitMQ is not installed here: apt-get install rabbitmq-server")
@pytest.mark.parametrize("machines", ["rabbitmq"], indirect=True)
def test_rabbitmq_carries_the_messages_as_well(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    token = signed_up(one)
    with one.api(token) as here, two.api(token) as there:
        frozen(here)
        two.start("train")
        until(lambda: trainers(here) == {"train@two"}, list(machines))
        ordered = order(here, "sums", 2)
        until(lambda: told_of(there, ordered)["state"] == "finished", list(machines))
        assert told_of(there, ordered)["attempt"] == 1
        told = here.get(str(here.base_url).replace("/api/v1/", "/metrics")).text
        assert 'tiebreak_messages_waiting{queue="train"} 0.0' in told
