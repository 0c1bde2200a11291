"""create_app(): the rooms, the middleware, and the one handler that turns mistakes into answers."""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from obstore.exceptions import BaseError
from sqlalchemy import text
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import ForgedRequestGuard
from app.checkpoints import api as checkpoints_api
from app.checkpoints import views as checkpoints_views
from app.datasets import api as datasets_api
from app.datasets import views as datasets_views
from app.db import SessionDep
from app.errors import Away, BadInput, Mistake, NotAllowed, NotFound, NotSignedIn, TooLarge
from app.imports import api as imports_api
from app.imports import views as imports_views
from app.judgments import api as judgments_api
from app.judgments import differences, mine
from app.judgments import views as judgments_views
from app.language import Languages
from app.language import gettext as _
from app.pages import Assets, Page, is_fragment_wanted, render
from app.people import account, joining
from app.people import language as people_language
from app.people import views as people
from app.projects import api as projects_api
from app.projects import people_page as project_people
from app.projects import settings_page as project_settings
from app.projects import views as projects_views
from app.prompts import api as prompts_api
from app.prompts import views as prompts_views
from app.queue import api as queue_api
from app.runs import api as runs_api
from app.runs import views as runs_views
from app.settings import ROOT

_log = logging.getLogger(__name__)
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
_PROBLEM: dict[str, Any] = {"description": "Problem", "content": {"application/problem+json": {}}}
LARGEST_BODY = 4 << 20
_IMPORTS = ("/items", "/import")

# The rooms, in the order of the sentence: their JSON routes and their pages. Routes are looked for in their order, so the
# pages that every key press waits for come first of all.
API: tuple[APIRouter, ...] = (
    projects_api.router,
    prompts_api.router,
    queue_api.router,
    judgments_api.router,
    imports_api.router,
    datasets_api.router,
    runs_api.router,
    checkpoints_api.router,
)
PAGES: tuple[APIRouter, ...] = (
    judgments_views.router,
    people.router,
    people_language.router,
    account.router,
    joining.router,
    project_settings.router,
    project_people.router,
    projects_views.router,
    prompts_views.router,
    differences.router,
    mine.router,
    imports_views.router,
    datasets_views.router,
    runs_views.router,
    checkpoints_views.router,
)


@dataclass(frozen=True, kw_only=True)
class MistakePage(Page):
    mistake: Mistake


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
        if scope["type"] != "http" or scope["path"].endswith(_IMPORTS):
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
        is_page = scope["type"] == "http" and not scope["path"].startswith("/api/")
        await (self.packed if is_page else self.plain)(scope, receive, send)


def create_app() -> FastAPI:
    app = FastAPI(title="Tiebreak", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    judging, *others = PAGES
    app.include_router(judging, include_in_schema=False)
    for router in API:
        app.include_router(router, prefix="/api/v1", responses={"4XX": _PROBLEM})
    for router in others:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", Assets(directory=ROOT / "static"), name="static")
    app.add_exception_handler(Mistake, answer_mistake)
    app.add_exception_handler(RequestValidationError, answer_bad_request)
    app.add_exception_handler(HTTPException, answer_http_error)
    for error in (OperationalError, DataError, psycopg.OperationalError, psycopg.DataError):
        app.add_exception_handler(error, answer_database_error)
    for failure in (BaseError, OSError):
        app.add_exception_handler(failure, answer_storage_error)
    app.add_exception_handler(UnicodeError, answer_unreadable)
    app.add_exception_handler(Exception, answer_bug)
    app.add_middleware(Compressed)
    app.add_middleware(BodyLimit)
    app.add_middleware(ForgedRequestGuard, refuse=refuse_forged)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Languages)

    @app.get("/healthz", include_in_schema=False)
    def healthz(session: SessionDep) -> dict[str, str]:
        session.execute(text("SELECT 1"))
        return {"status": "ok"}

    return app


def problem(mistake: Mistake) -> Response:
    """A mistake as an RFC 9457 problem document."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": mistake.title,
        "status": mistake.status,
        "detail": mistake.message,
    }
    if mistake.field is not None:
        body["field"] = mistake.field
    if mistake.errors:
        body["errors"] = mistake.errors
    headers = {"WWW-Authenticate": "Bearer"} if mistake.status == 401 else None
    # what is quoted back may hold halves of surrogate pairs, which JSON can spell and UTF-8 cannot
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(text, status_code=mistake.status, media_type="application/problem+json", headers=headers)


def answer_mistake(request: Request, mistake: Exception) -> Response:
    assert isinstance(mistake, Mistake)
    if request.url.path.startswith("/api/"):
        return problem(mistake)
    if isinstance(mistake, NotSignedIn):
        return ask_to_sign_in(request)
    person = getattr(request.state, "person", None)
    return render(request, "mistake.html", MistakePage(person=person, mistake=mistake), status=mistake.status)


def ask_to_sign_in(request: Request) -> Response:
    """To the sign-in page, which leads back to the page that was wanted: under htmx the one that is shown."""
    if is_fragment_wanted(request):
        try:
            shown = urlsplit(request.headers.get("hx-current-url", "/")).path
        except ValueError:  # no address at all
            shown = "/"
        return Response(status_code=204, headers={"HX-Redirect": f"/sign-in?next={quote(shown)}"})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(wanted)}" if request.method == "GET" else "/sign-in", 303)


def answer_bad_request(request: Request, error: Exception) -> Response:
    """FastAPI's own findings in the words and the shape of ours."""
    assert isinstance(error, RequestValidationError)
    found = [
        {"field": ".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]), "message": one["msg"]}
        for one in error.errors()
    ]
    first = found[0]
    words = f"{first['field']}: {first['message']}"
    return answer_mistake(request, BadInput(words, field=str(first["field"]), errors=found))


def answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    mistake = NotFound(_("there is no such page")) if error.status_code == 404 else Mistake(str(error.detail))
    mistake.status = error.status_code
    answer = answer_mistake(request, mistake)
    answer.headers.update(error.headers or {})  # what else to try: `Allow`
    return answer


def answer_unreadable(request: Request, error: Exception) -> Response:
    """Text in another encoding than it said, or with halves of surrogate pairs."""
    _log.info("text that cannot be read or stored: %s", type(error).__name__)
    return answer_mistake(
        request, BadInput(_("one of the texts holds a character that is none; take it out, or send UTF-8"))
    )


def answer_database_error(request: Request, error: Exception) -> Response:
    """Postgres went away (it restarts; the pool has dropped its connections) or refused a value that passed our checks."""
    if isinstance(error, DataError | psycopg.DataError):
        return answer_mistake(
            request, BadInput(_("one of the values is not one that can be stored; check it and try again"))
        )
    _log.warning("the database does not answer: %s", error)
    return answer_mistake(request, Away(_("the database is not answering; nothing was stored, please try again")))


def answer_storage_error(request: Request, error: Exception) -> Response:
    """The disk is full or S3 is away: nothing was committed, and whoever runs this server must see to it."""
    _log.error("the storage failed in %s %s", request.method, request.url.path, exc_info=error)
    words = _(
        "the storage does not work as it should; nothing was stored. Whoever runs this server finds why in its log"
    )
    return answer_mistake(request, Away(words))


def answer_bug(request: Request, error: Exception) -> Response:
    _log.error("a bug in %s %r", request.method, request.url.path, exc_info=error)
    mistake = Mistake(_("Something is broken on our side. Nothing that was saved before is lost; please try again."))
    mistake.status = 500
    return answer_mistake(request, mistake)


async def refuse_forged(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = NotAllowed(_("this request came from another site; open the page here and try again"))
    await answer_mistake(Request(scope), refusal)(scope, receive, send)


app = create_app()
