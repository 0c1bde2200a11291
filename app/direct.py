"""Routes that every key press waits for, without what FastAPI does for a route that declares what it wants.

Matching an address against every room, solving dependencies and checking each parameter apart take as long as a judgment and its
tuples do. Here the endpoint is handed the request and reads it with one pydantic model; a route's `dependencies` are
never called, they only describe it. Such routes are included before all rooms.

Their work is short and is done a few at a time in each process: thirty threads that take turns at one interpreter, each with a
database connection whose caches have gone cold, get less done than three. Whoever has waited for a second goes ahead all the
same, so that a few who wait for a lock of the database hold up nobody for long. The threads are of our own: from one request they
go to the next without asking the event loop, which hears of each request once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from app.db import QUICK_POOL

AT_ONCE = QUICK_POOL
PATIENCE_S = 1.0
MOST_IMPATIENT = 40
Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")
_few = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="quick")
_impatient = ThreadPoolExecutor(MOST_IMPATIENT, thread_name_prefix="impatient")


class Direct(APIRoute):
    """Its endpoint is `async (request) -> Response`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


async def in_thread(work: Callable[..., Result], *given: Any) -> Result:
    """What the work returns, done in a thread when it is its turn."""
    loop = asyncio.get_running_loop()
    context = copy_context()
    answer: asyncio.Future[Result] = loop.create_future()

    def do() -> None:
        try:
            result = context.run(work, *given)
        except BaseException as problem:  # noqa: BLE001 -- whatever it is, it belongs to whoever waits
            loop.call_soon_threadsafe(_settle, answer, answer.set_exception, problem)
        else:
            loop.call_soon_threadsafe(_settle, answer, answer.set_result, result)

    turn = _few.submit(do)
    impatience = loop.call_later(PATIENCE_S, lambda: turn.cancel() and _impatient.submit(do))
    try:
        return await answer
    finally:
        impatience.cancel()


def _settle(answer: asyncio.Future[Any], settle: Callable[[Any], None], what: object) -> None:
    if not answer.done():  # whoever waited may be gone
        settle(what)


def read_json(model: type[Model], body: bytes) -> Model:
    """Raises RequestValidationError, as any other route does for a body that is not what it should be."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error, "body") from None


def read_parameters(model: type[Model], where: str, values: Mapping[str, Any]) -> Model:
    """The same for what stands in a path, a query or a header, which is text."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refusal(error, where) from None


def _refusal(error: ValidationError, where: str) -> RequestValidationError:
    return RequestValidationError([one | {"loc": (where, *one["loc"])} for one in error.errors()])
