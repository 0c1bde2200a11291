"""What happens to every request and every answer, whatever the room: plain ASGI, since each of them runs on every key press."""

import asyncio
import hashlib
import re
import secrets
from contextlib import suppress

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.downloads import names
from app.error_responses import answer_mistake
from app.errors import TooLarge
from app.language import gettext as _
from app.logs import request_id

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


_PACKED_ALREADY = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "application/x-ndjson")
LARGEST_BODY = 4 << 20
MOST_READ_AWAY, READ_AWAY_S = 32 << 20, 5.0
_FILE = "/resolve/"  # how the hub's addresses of files are told from pages
# What reads its body as it comes, to a temporary file and up to a limit of its own; the names of projects may be any words.
_IMPORT = re.compile(r"/api/v1/projects/[^/]+/items|/projects/[^/]+/import")


_GIVEN_ID = re.compile(rb"[\w.:-]{1,64}", re.ASCII)


class RequestIds:
    """Middleware: every request has a name, `X-Request-ID`, which its log lines carry and its answer gives back.

    A proxy's name is taken over, so that its log and ours can be held together, if it looks like one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        name = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8).encode()
        request_id.set(name.decode())  # of this request alone: the server runs each in a context of its own

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", name)]
            await send(message)

        await self.app(scope, receive, send_named)


class SecurityHeaders:
    """Middleware: what a page may load and run, said on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class BodyLimit:
    """Middleware: no form and no JSON is read into memory beyond `LARGEST_BODY`. Imports stream and limit themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] == "POST" and _IMPORT.fullmatch(scope["path"])):
            await self.app(scope, receive, send)
            return
        n_bytes = 0

        async def receive_within_limit() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > LARGEST_BODY:
                raise TooLarge("")
            return message

        async def send_unless_too_large(message: Message) -> None:
            if n_bytes <= LARGEST_BODY:  # otherwise what is sent is the framework's own idea of what went wrong
                await send(message)

        with suppress(TooLarge):
            await self.app(scope, receive_within_limit, send_unless_too_large)
        if n_bytes > LARGEST_BODY:
            words = _("a request may hold %(n)s MiB here; bring files in with an import", n=LARGEST_BODY >> 20)
            await answer_mistake(Request(scope), TooLarge(words))(scope, receive, send)


class ReadAway:
    """Middleware: what an answer did not need of its request is read before the answer ends, up to a limit.

    A server that hangs up while somebody is still sending resets the connection, and the answer that says why may be lost with it.
    Whoever asks first whether to send at all (`Expect: 100-continue`) has sent nothing yet.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        has_begun, is_whole = False, False

        async def receive_on() -> Message:
            nonlocal has_begun, is_whole
            message = await receive()
            has_begun, is_whole = True, not message.get("more_body", False)
            return message

        async def send_after(message: Message) -> None:
            ends = message["type"] == "http.response.body" and not message.get("more_body", False)
            if ends and not is_whole and (has_begun or "expect" not in Headers(scope=scope)):
                await read_away(receive)
            await send(message)

        await self.app(scope, receive_on, send_after)


async def read_away(receive: Receive) -> None:
    left = MOST_READ_AWAY
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_AWAY_S):
            while left > 0:
                message = await receive()
                if not message.get("more_body", False):
                    return
                left -= len(message["body"])


class Compressed:
    """Middleware: pages and the files beside them travel packed, a third of their size on a slow line.

    Answers to programs are left alone: what each key press of a program waits for is small, and a file's ETag is that of
    its bytes. A page holds no secret that packing it beside somebody else's words could betray (BREACH): the session is
    in a cookie, and forged requests are told by their headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.plain = app
        self.packed = GZipMiddleware(app, minimum_size=1000, compresslevel=6, exclude_content_types=_PACKED_ALREADY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and not scope["path"].startswith("/api/") and _FILE not in scope["path"]
        await (self.packed if is_page else self.plain)(scope, receive, send)


class Tagged:
    """Middleware: what the API says in JSON carries an `ETag`, and whoever has it already is told so instead (304).

    The tag is of the bytes, so it holds for whatever the answer was made from. Streams, which end when they end, have none; files
    have their own (`downloads.py`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/api/"):
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def send_tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _may_be_tagged(message):
                start = message
                return
            if start is not None:
                is_whole = message["type"] == "http.response.body" and not message.get("more_body", False)
                if is_whole and _tag(start, message.get("body", b""), Headers(scope=scope).get("if-none-match", "")):
                    message = {**message, "body": b""}
                await send(start)
                start = None
            await send(message)

        await self.app(scope, receive, send_tagged)


def _may_be_tagged(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and headers.get("content-type") == "application/json" and "etag" not in headers


def _tag(start: Message, body: bytes, known: str) -> bool:
    """Put the tag of a body into the head of its answer; says whether it is known, which the head then says too."""
    headers = MutableHeaders(raw=start["headers"])
    headers["ETag"] = etag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers.setdefault("Cache-Control", "private, no-cache")
    start["headers"] = headers.raw
    if not names(known, etag):
        return False
    del headers["Content-Length"]
    start["status"], start["headers"] = 304, headers.raw
    return True
