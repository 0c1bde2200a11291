"""`tiebreak demo`: the whole sentence, unattended, through a real web server, queue and workers of its own.

Nothing here calls the app's functions: the demo starts `tiebreak up` in a data folder of its own and then does over
HTTP what people and programs do. On the sample task the simulated annotators know the right answers and err now and
then. For a given file they know the choices that the file carries: its first records are brought in without them and
judged anew through the queue, the rest as the judgments they are.
"""

import gzip
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from app.embedded import NO_TORCH, has_torch, open_home
from app.errors import BadInput, Mistake
from app.settings import get_settings
from samples.task import judge as judge_by_rule
from samples.task import pair_records

ANNOTATORS = ("ada@demo", "ben@demo")
SAMPLE_ITEMS = 1_500
FILE_ITEMS_TO_JUDGE = 200
NOISE = 0.05
TEXTS = ("prompt", "chosen", "rejected")
Json = dict[str, Any]
SAMPLE_SETTINGS: Json = {}
SAMPLE_TEST, FILE_TEST = 0.15, 0.05
FILE_SETTINGS: Json = {"max_steps": 40, "max_length": 256}  # a file may be large and its texts long; the demo is short
Judge = Callable[[Json, Random], Json]


class DemoFailed(Mistake):
    title = "The demo did not come to its end"


@dataclass
class Tour:
    """What the stages hand on to each other, and what they measured."""

    home: Path
    environment: dict[str, str]
    api: httpx.Client
    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        print(f"{name} …", flush=True)  # noqa: T201 -- a command prints
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def call(self, method: str, path: str, **request: Any) -> Any:
        """One API call; its JSON, None for 204. Any refusal ends the demo with the server's words."""
        answer = self.api.request(method, f"/api/v1{path}", **request)
        if answer.is_error:
            raise DemoFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def command(self, *words: str) -> str:
        """What a `tiebreak` command prints."""
        whole = [sys.executable, "-m", "app.cli", *words]
        done = subprocess.run(whole, env=self.environment, capture_output=True, text=True, check=False)  # noqa: S603 -- ours
        if done.returncode:
            raise DemoFailed(f"tiebreak {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def token(self, email: str, scopes: str) -> str:
        return self.command("token", "create", "--user", email, "--scopes", scopes, "--name", "demo")


def run_demo(data: Path | None) -> None:
    if not has_torch():
        raise DemoFailed(NO_TORCH)
    home = get_settings().home / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    url = f"http://127.0.0.1:{_free_port()}"
    with httpx.Client(base_url=url, timeout=60) as api, _server(home, url, api) as environment:
        tour = Tour(home, environment, api)
        api.headers["Authorization"] = f"Bearer {tour.token('admin@localhost', 'judge,import,export,train,read,admin')}"
        slug = _bring_data(tour, data)
        dataset = _freeze(tour, slug, SAMPLE_TEST if data is None else FILE_TEST)
        _train(tour, dataset, SAMPLE_SETTINGS if data is None else FILE_SETTINGS)
        _report(tour)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _server(home: Path, url: str, api: httpx.Client) -> Iterator[dict[str, str]]:
    """A `tiebreak up` of our own; ended as Ctrl-C would end it."""
    own = {
        "TIEBREAK_HOME": str(home),
        "PORT": url.rsplit(":", 1)[1],
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "STORAGE_URL": "",
    }
    environment = os.environ | own
    os.umask(0o077)  # the log holds the passwords that are shown once
    open_home(get_settings().home)
    open_home(home)
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "app.cli", "up"], env=environment, stdout=log, stderr=log)
        try:
            _wait_until_served(process, api, home)
            yield environment
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def _wait_until_served(process: subprocess.Popen[bytes], api: httpx.Client, home: Path) -> None:
    for _ in range(600):
        with suppress(httpx.TransportError):
            if api.get("/healthz").is_success:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise DemoFailed("the server did not start:\n" + (home / "up.log").read_text()[-2000:])


def _bring_data(tour: Tour, data: Path | None) -> str:
    """Import and judge; returns the project's slug."""
    if data is None:
        slug, records, known = _sample_records()
    else:
        slug, records, known = _file_records(data)
        tour.call("POST", "/projects", json={"slug": slug, "name": data.name, "kind": "pair"})
    with tour.stage("import"):
        body = "\n".join(json.dumps(record) for record in records).encode()
        report = tour.call(
            "POST", f"/projects/{slug}/items", content=body, headers={"Content-Type": "application/x-ndjson"}
        )
        for error in report["errors"][:3]:
            print(f"    line {error['line']}: {error['message']}", flush=True)  # noqa: T201 -- a command prints
    with tour.stage("judge"), ThreadPoolExecutor(len(ANNOTATORS)) as people:
        list(people.map(lambda email: _annotate(tour, slug, known, email), ANNOTATORS))
    project = tour.call("GET", f"/projects/{slug}")
    counts = project["counts"]
    tour.figures["items · judgments · tuples"] = f"{counts['items']} · {counts['judgments']} · {counts['tuples']}"
    return slug


def _sample_records() -> tuple[str, list[Json], Judge]:
    records = list(pair_records(1, SAMPLE_ITEMS))
    answers = {record["prompt"]: record["metadata"]["answer"] for record in records}

    def by_rule(turn: Json, rng: Random) -> Json:
        answer = answers.get(turn["prompt"][-1]["content"])
        if answer is None:
            return {"outcome": "skip", "tiers": {}}
        tiers = judge_by_rule(answer, [response["text"] for response in turn["responses"]], rng, NOISE)
        if len(set(tiers)) == 1:
            return {"outcome": "tie", "tiers": {response["id"]: 1 for response in turn["responses"]}}
        ids = [response["id"] for response in turn["responses"]]
        return {"outcome": "ranked", "tiers": dict(zip(ids, tiers, strict=True))}

    return "words-and-numbers", records, by_rule


def _file_records(data: Path) -> tuple[str, list[Json], Judge]:
    wanted = "the demo takes a file of JSON lines with “chosen” and “rejected”"
    try:
        text = gzip.decompress(data.read_bytes()) if data.suffix == ".gz" else data.read_bytes()
        records = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, EOFError, ValueError, zlib.error) as problem:
        raise BadInput(f"{wanted}; this one cannot be read: {problem}") from problem
    if not records or not all(isinstance(each, dict) and {"chosen", "rejected"} <= each.keys() for each in records):
        raise BadInput(wanted)
    plain = [each for each in records if all(isinstance(each.get(key), str) and each[key].strip() for key in TEXTS)]
    to_judge = [record for record in plain if record["chosen"].strip() != record["rejected"].strip()]
    to_judge = to_judge[:FILE_ITEMS_TO_JUDGE]
    chosen = {(record["chosen"].strip(), record["rejected"].strip()) for record in to_judge}
    bare = [{"prompt": each["prompt"], "responses": [each["chosen"], each["rejected"]]} for each in to_judge]
    taken = {id(record) for record in to_judge}

    def as_in_the_file(turn: Json, rng: Random) -> Json:
        del rng
        first, second = turn["responses"]
        better = (first["text"].strip(), second["text"].strip()) in chosen
        return {"outcome": "ranked", "tiers": {first["id"]: 1 if better else 2, second["id"]: 2 if better else 1}}

    return "demo", [*bare, *(record for record in records if id(record) not in taken)], as_in_the_file


def _annotate(tour: Tour, slug: str, judge: Judge, email: str) -> None:
    """One annotator, until nothing is left for them: each request stores a judgment and brings the next item."""
    tour.command("user", "add", email, "--project", slug)
    own = {"Authorization": f"Bearer {tour.token(email, 'judge')}"}
    rng = Random(email)  # noqa: S311 -- their bad moments are the same in each demo
    turn = tour.call("POST", f"/projects/{slug}/next", headers=own)
    while turn is not None:
        path = f"/assignments/{turn['assignment']}/judgment?next=1"
        answer = tour.call("POST", path, json=judge(turn, rng), headers=own | {"Idempotency-Key": uuid4().hex})
        turn = answer["next"]


def _freeze(tour: Tour, slug: str, test: float) -> Json:
    with tour.stage("freeze a dataset"):
        request = {"name": slug, "split": {"test": test, "seed": 0}}
        dataset: Json = tour.call("POST", f"/projects/{slug}/datasets", json=request)
    return dataset


def _train(tour: Tour, dataset: Json, settings: Json) -> None:
    with tour.stage("train the starter model (sft, from scratch)"):
        _finished(tour, next(run for run in tour.call("GET", "/runs") if run["checkpoint_name"] == "starter"))
    for method in ("reward", "dpo"):
        with tour.stage(f"train {method}"):
            order = {"method": method, "dataset": dataset["id"], "base_model": "starter", "settings": settings}
            run = _finished(tour, tour.call("POST", "/runs", json=order))
        before, after = run["results"]["before"], run["results"]["after"]
        if method == "reward":
            tour.figures["reward model: held-out accuracy"] = _change(before, after, "accuracy", "{:.3f}")
        else:
            tour.figures["policy: share of right answers"] = _change(before, after, "right_answers", "{:.1%}")
            tour.figures["policy: mean held-out margin"] = _change(before, after, "margin", "{:+.3f}")


def _change(before: Json, after: Json, name: str, form: str) -> str:
    if before.get(name) is None or after.get(name) is None:
        return "– (this data has no rule to check answers by)"
    return f"{form.format(before[name])} → {form.format(after[name])}"


def _finished(tour: Tour, run: Json) -> Json:
    for pause in itertools.repeat(0.5):
        run = tour.call("GET", f"/runs/{run['id']}")
        if run["state"] == "finished":
            break
        if run["state"] in {"failed", "cancelled"}:
            raise DemoFailed(f"run {run['id']} {run['state']}: {run['error']}")
        time.sleep(pause)
    return run


def _report(tour: Tour) -> None:
    lines = [""]
    lines += [f"{name:<48}{value}" for name, value in tour.figures.items()]
    lines += [f"{name:<48}{seconds:6.1f} s" for name, seconds in tour.seconds.items()]
    lines += [
        f"{'all of it':<48}{sum(tour.seconds.values()):6.1f} s",
        "",
        f"The checkpoints are in {tour.home}/storage:",
    ]
    lines += [f"    {row['name']} v{row['version']} ({row['kind']})" for row in tour.call("GET", "/checkpoints")]
    lines += [f"See them in the browser: TIEBREAK_HOME={tour.home} make run", ""]
    print("\n".join(lines))  # noqa: T201 -- a command prints
