"""Programs judge while Postgres ends connections in the middle of their transactions: what was acknowledged is there, once.

Whoever is told to try again sends the same with the same key, and some go away before they are answered and ask later. A real
server process; a fixed number of judgments a program.
"""

import json
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from app import db
from app.people.service import make_token
from tests.app.queue.test_races import crowd
from tests.queued import queued, slots_that_do_not_add_up, value
from tests.serving import served

pytestmark = pytest.mark.slow
PROGRAMS = 12
JUDGMENTS = 60
EVERY = 6
"""After so many more judgments that were acknowledged, two connections are ended: as often on every machine, however quick."""
# Both are in the middle of something, in the pool of key presses or in the other one.
END_TWO = """
    SELECT count(pg_terminate_backend(pid)) FROM (
        SELECT pid FROM pg_stat_activity WHERE application_name = 'tiebreak' AND pid <> pg_backend_pid()
        ORDER BY random() LIMIT 2) AS these
"""


@pytest.fixture
def address(database: Engine) -> Iterator[str]:
    with served() as address:
        yield address


class Program:
    """`acknowledged` are the turns with the keys whose judgments it was told are stored."""

    def __init__(self, address: str, token: str, told: threading.Semaphore) -> None:
        self.address, self.told = address, told
        self.authorization = {"Authorization": f"Bearer {token}"}
        self.acknowledged: list[tuple[int, str]] = []

    def live(self) -> None:
        draw = random.Random(self.authorization["Authorization"])
        with httpx.Client(base_url=self.address, headers=self.authorization, timeout=60) as server:
            turn = self.answered(server, "/api/v1/projects/words/next", {}, "")
            for _ in range(JUDGMENTS):
                path, key = f"/api/v1/assignments/{turn['assignment']}/judgment?next=1", uuid4().hex
                tiers = {one["id"]: place for place, one in enumerate(turn["responses"], 1)}
                order = {"outcome": "ranked", "tiers": tiers}
                if draw.random() < 0.1:
                    self.send_and_go_away(path, order, key)
                told = self.answered(server, path, order, key)
                self.acknowledged.append((turn["assignment"], key))
                self.told.release()
                turn = told["next"]

    def answered(self, server: httpx.Client, path: str, order: dict[str, Any], key: str) -> Any:
        while (answer := server.post(path, json=order, headers={"Idempotency-Key": key})).status_code == 503:
            pass
        assert answer.status_code in {200, 201}, f"{answer.status_code} {answer.text[:500]}"
        return answer.json()

    def send_and_go_away(self, path: str, order: dict[str, Any], key: str) -> None:
        place, body = urlsplit(self.address), json.dumps(order).encode()
        headers = {**self.authorization, "Host": "x", "Idempotency-Key": key, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {words}\r\n" for name, words in headers.items())
        with socket.create_connection((place.hostname or "", place.port or 0)) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)


def end_connections(told: threading.Semaphore, ended: list[int]) -> None:
    for number in range(1, PROGRAMS * JUDGMENTS + 1):
        told.acquire()
        if number % EVERY == 0:
            ended.append(value(END_TWO))


def test_whoever_tries_again_stores_everything_once(address: str) -> None:
    project = queued(items=PROGRAMS * JUDGMENTS, wanted=2)
    told, ended = threading.Semaphore(0), list[int]()
    with db.work_unit() as session:
        programs = [Program(address, make_token(session, user, ["judge"]), told) for user in crowd(project, PROGRAMS)]
    ending = threading.Thread(target=end_connections, args=[told, ended])
    ending.start()
    try:
        with ThreadPoolExecutor(PROGRAMS) as pool:
            list(pool.map(Program.live, programs))
    finally:
        told.release(PROGRAMS * JUDGMENTS)  # should a program have broken off
        ending.join()
    assert sum(ended) > PROGRAMS
    with db.work_unit() as session:
        stored = session.execute(text("SELECT assignment_id, client_key FROM judgment")).all()
    assert sorted(map(tuple, stored)) == sorted(one for program in programs for one in program.acknowledged)
    assert slots_that_do_not_add_up() == []
