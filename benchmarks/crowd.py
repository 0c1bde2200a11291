"""A crowd for measuring: one keep-alive connection each, the next request as soon as the answer is there.

HTTP is written and read by hand on asyncio protocols, in processes of their own, so that the client is not the limit:
it spends some 0.1 ms on a request.
"""

import asyncio
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

import orjson
import uvloop

PATIENCE_S = 30


@dataclass
class Round:
    """What one client process is to do, and what it saw."""

    side: str
    host: str
    port: int
    ends_at: float
    names: list[str]
    latencies_ms: list[float] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cpu_s: float = 0.0


class Annotator(asyncio.Protocol):
    """Sends a request, waits for the whole answer, makes the next request of it."""

    def __init__(self, round_: Round, name: str) -> None:
        self.round = round_
        self.name = name
        self.number = 0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.sent_at = 0.0

    def first(self) -> bytes:
        raise NotImplementedError

    def following(self, status: int, body: bytes) -> bytes | None:
        """The next request, or None to stop. The answer belongs to the last one."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.send(self.first())

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self.buffer = b""
        if b"content-encoding: gzip" in head.lower():
            body = zlib.decompress(body, wbits=31)
        request = self.following(int(head[9:12]), body)
        if request is None:
            self.transport.close()
        else:
            self.send(request)

    def note(self, key: str) -> None:
        self.round.latencies_ms.append((time.perf_counter() - self.sent_at) * 1000)
        self.round.acknowledged.append(key)

    def stop(self, problem: str) -> None:
        self.round.problems.append(f"{self.name}: {problem}")

    def connection_lost(self, problem: Exception | None) -> None:
        if problem is not None:
            self.stop(repr(problem))
        if not self.over.done():
            self.over.set_result(None)

    def post(self, path: str, body: bytes = b"", headers: str = "", media_type: str = "application/json") -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.round.host}\r\n{headers}"
            f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def new_key(self) -> str:
        self.number += 1
        return f"{self.name}-{self.round.ends_at}-{self.number}"


class JsonAnnotator(Annotator):
    """Stores a judgment and gets the next turn in one request; `name` is the token."""

    def first(self) -> bytes:
        self.key = ""
        self.authorization = f"Authorization: Bearer {self.name}\r\n"
        return self.post("/api/v1/projects/benchmark/next", headers=self.authorization)

    def following(self, status: int, body: bytes) -> bytes | None:
        if status not in {200, 201}:
            self.stop(f"{status} {body[:300]!r}")
            return None
        answer = orjson.loads(body)
        turn = answer
        if self.key:
            self.note(self.key)
            turn = answer["next"]
        if turn is None:
            self.stop("nothing is left to judge: more items are needed")
            return None
        return None if time.time() >= self.round.ends_at else self.judge(turn)

    def judge(self, turn: dict[str, Any]) -> bytes:
        self.key = self.new_key()
        headers = f"{self.authorization}Idempotency-Key: {self.key}\r\n"
        return self.post(f"/api/v1/assignments/{turn['assignment']}/judgment?next=1", judgment(turn), headers)


class PageAnnotator(Annotator):
    """Posts the page's form as htmx does and gets the next turn as a fragment; `name` is the browser's secret cookie."""

    page = "/projects/benchmark/judge"
    fields = ("assignment", "key", "choice")
    browser = (
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
        "Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
    )

    def first(self) -> bytes:
        self.key = ""
        self.headers = f"{self.browser}Cookie: tiebreak_session={self.name}\r\n"
        return f"GET {self.page} HTTP/1.1\r\nHost: {self.round.host}\r\n{self.headers}\r\n".encode()

    def following(self, status: int, body: bytes) -> bytes | None:
        if status != 200:
            self.stop(f"{status} {body[:300]!r}")
            return None
        if self.key:
            self.note(self.key)
        form = body.partition(b'action="/projects/benchmark/turn"')[2]
        if not form:
            self.stop("no form on the page: more items are needed")
            return None
        return None if time.time() >= self.round.ends_at else self.judge(form)

    def judge(self, form: bytes) -> bytes:
        assignment, self.key, choice = (found.decode() for found in map(_value_of(form), self.fields))
        told = {"assignment": assignment, "key": self.key, "duration_ms": 2000, "comment": "", "choice": choice}
        origin = f"http://{self.round.host}:{self.round.port}"
        headers = (
            f"{self.headers}HX-Request: true\r\nHX-Target: turn\r\nHX-Current-URL: {origin}{self.page}\r\n"
            f"Origin: {origin}\r\nReferer: {origin}{self.page}\r\nSec-Fetch-Dest: empty\r\n"
            "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
        )
        body = urlencode(told).encode()
        return self.post("/projects/benchmark/turn", body, headers, "application/x-www-form-urlencoded")


def _value_of(form: bytes) -> Callable[[str], bytes]:
    """The value of the first control of a name."""

    def value(name: str) -> bytes:
        control = re.search(rb'<[^>]*\bname="%s"[^>]*>' % name.encode(), form)
        found = control and re.search(rb'\bvalue="([^"]*)"', control[0])
        return found[1] if found else b""

    return value


class BareAnnotator(Annotator):
    """Sends the same body to the bare route."""

    turn: ClassVar[dict[str, Any]] = {
        "responses": [{"id": "0190a6f2-8f5c-7c3e-9a53-0d7c1b5e4a11"}, {"id": "0190a6f2-8f5c-7c3e-9a53-0d7c1b5e4a12"}]
    }

    def first(self) -> bytes:
        self.key = self.new_key()
        return self.post("/judgments/1", judgment(self.turn))

    def following(self, status: int, body: bytes) -> bytes | None:
        if status != 200:
            self.stop(f"{status} {body[:300]!r}")
            return None
        self.note(self.key)
        return None if time.time() >= self.round.ends_at else self.first()


def judgment(turn: dict[str, Any]) -> bytes:
    tiers = {response["id"]: place for place, response in enumerate(turn["responses"], start=1)}
    return orjson.dumps({"outcome": "ranked", "tiers": tiers, "comment": "reads better"})


SIDES: dict[str, type[Annotator]] = {"json": JsonAnnotator, "page": PageAnnotator, "bare": BareAnnotator}


def play(round_: Round) -> Round:
    """For a process pool: the round, with what was seen in it."""
    before = time.process_time()
    uvloop.run(_annotate(round_))
    round_.cpu_s = time.process_time() - before
    return round_


def _itself(annotator: Annotator) -> Annotator:
    return annotator


async def _annotate(round_: Round) -> None:
    loop = asyncio.get_running_loop()
    crowd = [SIDES[round_.side](round_, name) for name in round_.names]
    for annotator in crowd:
        await loop.create_connection(partial(_itself, annotator), round_.host, round_.port)
    patience = max(0.0, round_.ends_at - time.time()) + PATIENCE_S
    _, late = await asyncio.wait([annotator.over for annotator in crowd], timeout=patience)
    if late:
        round_.problems.append(f"{len(late)} annotators got no answer within {PATIENCE_S} s")
