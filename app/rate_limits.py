"""How many requests a token may send in a minute, counted by all web processes together.

A token's window begins with its first request after the last window has ended, and lasts for `WINDOW_S`. The counter is one row
in Postgres, since the broker may be anything and may lose what it holds. A process takes a twentieth of the limit from it at a
time and counts that down in memory, so of a thousand requests under a limit of 6000 four cost a statement, and those that are
refused cost none. Taking is a transaction of its own: it counts whatever becomes of the request.

What this guarantees:
- No window lets in more requests than the limit, however many processes there are: what they hand out is what they took, and
  each stops handing out what is left of an old window before the database's clock ends it. Windows follow each other, so any
  sixty seconds see at most twice the limit, if a token spends all of one at its end and all of the next at its beginning.
- A token that one process refuses may have up to a twentieth of its limit left in each of the others. What `RateLimit` says
  remains is as of the last time that this process took some: others may have taken more since.
- While the database does not answer, requests are let in, to be told so by their route.

Answers carry `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11), which the Hugging Face Hub's clients
read as well, and a refusal `Retry-After`. Browsers that are signed in are not counted.
"""

import logging
import math
from threading import Lock
from time import monotonic

import psycopg
from cachetools import LRUCache
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import TOKEN_PREFIX, hashed
from app.db import fetch, work_unit
from app.error_responses import FOR_PROGRAMS, problem
from app.errors import TooManyRequests
from app.hub.refusals import refusal
from app.language import ngettext
from app.metrics import API_PREFIX
from app.settings import get_settings

WINDOW_S = 60
SHARE = 20
POLICY = "token"
MOST_TOKENS = 10_000
_PATIENCE_S = 1.0  # for which nobody asks again a database that did not answer
_log = logging.getLogger(__name__)

# `taken` grows beyond the limit by the blocks of those who came too late, which are none: see `_look`.
_TAKE = """
    WITH token AS (
        SELECT id, coalesce(rate_limit, %(usual)s) AS most FROM api_token
        WHERE token_hash = %(token_hash)s AND revoked_at IS NULL
    ), block AS (
        INSERT INTO token_window AS past (token_id, began_at, taken)
        SELECT id, now(), (most + %(share)s - 1) / %(share)s FROM token WHERE most > 0
        ON CONFLICT (token_id) DO UPDATE SET
            began_at = CASE WHEN past.began_at + %(window)s * interval '1 second' <= now() THEN now() ELSE past.began_at END,
            taken = CASE WHEN past.began_at + %(window)s * interval '1 second' <= now() THEN 0 ELSE past.taken END
                + excluded.taken
        RETURNING taken, extract(epoch FROM began_at - clock_timestamp())::float8 + %(window)s AS seconds
    ) SELECT most, taken, seconds FROM token LEFT JOIN block ON true
"""


class Budget:
    """What this process may still let in of one token's window. Counted in many threads, asked for in one at a time."""

    def __init__(self, token_hash: bytes) -> None:
        self.token_hash = token_hash
        self.most = 0  # 0 for no limit
        self.left = 0  # of what this process has taken
        self.elsewhere = 0  # what nobody had taken when this process last did
        self.ends = 0.0
        self._counting = Lock()
        self._asking = Lock()

    def count(self) -> bool | None:
        """Whether a request is let in; None if only the database can tell."""
        with self._counting:
            if monotonic() >= self.ends:
                return None
            if self.most == 0:
                return True
            if self.left > 0:
                self.left -= 1
                return True
            return None if self.elsewhere > 0 else False

    def ask(self) -> bool | None:
        """Take more, unless another thread has meanwhile; None if there is no such token."""
        with self._asking:
            while (let_in := self.count()) is None:
                if not self._look():
                    return None
            return let_in

    def _look(self) -> bool:
        """Take a block. The window's end is reckoned from before the database was asked, so it is never too late."""
        began = monotonic()
        values = {"token_hash": self.token_hash, "usual": get_settings().rate_limit, "share": SHARE, "window": WINDOW_S}
        try:
            with work_unit() as session:
                rows = fetch(session, _TAKE, values)
        except (SQLAlchemyError, psycopg.Error) as error:
            _log.warning("requests are not counted: %s", error)
            self._note(ends=monotonic() + _PATIENCE_S)
            return True
        for row in rows:
            most = row["most"]
            if most == 0:
                self._note(ends=began + WINDOW_S)
                return True
            block = -(-most // SHARE)
            before = row["taken"] - block
            granted = max(min(block, most - before), 0)
            self._note(most, granted, max(most - before - granted, 0), began + row["seconds"])
        return bool(rows)

    def _note(self, most: int = 0, left: int = 0, elsewhere: int = 0, ends: float = 0.0) -> None:
        with self._counting:
            self.most, self.left, self.elsewhere, self.ends = most, left, elsewhere, ends

    def headers(self) -> list[tuple[bytes, bytes]]:
        if self.most == 0:
            return []
        remaining, seconds = self.left + self.elsewhere, self.seconds_left()
        return [
            (b"ratelimit-policy", f'"{POLICY}";q={self.most};w={WINDOW_S}'.encode()),
            (b"ratelimit", f'"{POLICY}";r={remaining};t={seconds}'.encode()),
        ]

    def seconds_left(self) -> int:
        return max(math.ceil(self.ends - monotonic()), 1)


class RateLimits:
    """Middleware: a request whose token has used up its window is answered before anything else is asked about it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.known: LRUCache[bytes, Budget] = LRUCache(MOST_TOKENS)
        self._knowing = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        secret = _token(scope) if scope["type"] == "http" else None
        if secret is None:
            await self.app(scope, receive, send)
            return
        token_hash = hashed(secret)
        with self._knowing:
            budget = self.known.setdefault(token_hash, Budget(token_hash))
        let_in = budget.count()
        if let_in is None:
            let_in = await run_in_threadpool(budget.ask)
            if let_in is None:  # strangers can make up any number of them
                with self._knowing:
                    self.known.pop(token_hash, None)
        headers = budget.headers()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        if let_in is False:
            await self._refuse(scope, budget)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers if headers else send)

    def _refuse(self, scope: Scope, budget: Budget) -> ASGIApp:
        seconds = budget.seconds_left()
        words = ngettext(
            "this token may send %(most)s requests a minute, and has; send this one again in %(num)d second",
            "this token may send %(most)s requests a minute, and has; send this one again in %(num)d seconds",
            seconds,
            most=budget.most,
        )
        mistake = TooManyRequests(words, retry_after_s=seconds, policies=[POLICY])
        is_ours = scope["path"].startswith((f"{API_PREFIX}/", *FOR_PROGRAMS[1:]))
        return problem(mistake) if is_ours else refusal(mistake)


def _token(scope: Scope) -> str | None:
    """As `access` reads it: `Bearer tbk_…` in the first header of that name."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return secret if scheme.lower() == "bearer" and secret.startswith(TOKEN_PREFIX) else None
    return None
