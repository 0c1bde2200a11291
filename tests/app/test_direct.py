"""Work that every key press waits for."""

import threading

import anyio
import anyio.lowlevel
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from app import direct
from app.direct import AT_ONCE, in_thread, read_json, read_parameters


class Sent(BaseModel):
    number: int = Field(ge=1)


def test_what_is_wrong_is_said_as_by_any_other_route():
    for read, where in (
        (lambda: read_json(Sent, b'{"number": 0}'), "body"),
        (lambda: read_parameters(Sent, "path", {"number": "x"}), "path"),
    ):
        with pytest.raises(RequestValidationError) as caught:
            read()
        assert caught.value.errors()[0]["loc"] == (where, "number")


def test_a_few_work_at_a_time_and_the_rest_come_after_them():
    lock, at_work, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.01)
        with lock:
            at_work -= 1

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(4 * AT_ONCE):
                group.start_soon(in_thread, work)

    anyio.run(all_of_them)
    assert most <= AT_ONCE


def test_whoever_has_waited_long_goes_ahead_of_those_who_wait_for_a_lock(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(direct, "PATIENCE_S", 0.01)
    let_go, done = threading.Event(), []

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(in_thread, let_go.wait)
            await anyio.lowlevel.checkpoint()
            done.append(await in_thread(lambda: "done"))
            let_go.set()

    anyio.run(all_of_them)
    assert done == ["done"]
    assert anyio.run(in_thread, lambda: "again") == "again", "everybody gave their place back"
