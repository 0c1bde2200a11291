"""What went wrong, as an answer: a problem document (RFC 9457) for programs, a page for people, and no 500 for either."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from jinja2 import TemplateNotFound
from sqlalchemy.exc import DataError, NotSupportedError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app.errors import Away, BadInput, Mistake, NotAllowed, NotFound, NotSignedIn
from app.language import gettext as _
from app.pages import Page, is_fragment_wanted, render
from app.storage import FAILURES, in_words, is_full
from app.tables import TablesDiffer, demand_fitting

FOR_PROGRAMS = ("/api/", "/metrics")
MOST_ERRORS = 100
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MistakePage(Page):
    mistake: Mistake


def answer_mistakes(app: FastAPI) -> None:
    """Give every kind of failure its answer."""
    app.add_exception_handler(Mistake, answer_mistake)
    app.add_exception_handler(RequestValidationError, answer_bad_request)
    app.add_exception_handler(HTTPException, answer_http_error)
    for error in (OperationalError, NoConnectionFreeError, DataError, psycopg.OperationalError, psycopg.DataError):
        app.add_exception_handler(error, answer_database_error)
    for misunderstood in (ProgrammingError, NotSupportedError, psycopg.ProgrammingError, psycopg.NotSupportedError):
        app.add_exception_handler(misunderstood, answer_unknown_tables)
    for failure in FAILURES:
        app.add_exception_handler(failure, answer_storage_error)
    app.add_exception_handler(TemplateNotFound, answer_bug)  # an OSError too, but of ours
    app.add_exception_handler(UnicodeError, answer_unreadable)
    app.add_exception_handler(Exception, answer_bug)


def problem(mistake: Mistake) -> Response:
    """A mistake as an RFC 9457 problem document."""
    body: dict[str, object] = {
        **mistake.members,
        "type": mistake.type,
        "title": mistake.title,
        "status": mistake.status,
        "detail": mistake.message,
    }
    if mistake.field is not None:
        body["field"] = mistake.field
    if mistake.errors:
        body["errors"] = mistake.errors
    headers = {"WWW-Authenticate": "Bearer"} if mistake.status == 401 else {}
    if mistake.retry_after_s is not None:
        headers["Retry-After"] = str(mistake.retry_after_s)
    # what is quoted back may hold halves of surrogate pairs, which JSON can spell and UTF-8 cannot
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(text, status_code=mistake.status, media_type="application/problem+json", headers=headers)


def answer_mistake(request: Request, mistake: Exception) -> Response:
    assert isinstance(mistake, Mistake)
    if request.url.path.startswith(FOR_PROGRAMS):
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
    if not request.url.path.startswith(FOR_PROGRAMS) and any(one["loc"][0] == "path" for one in error.errors()):
        return answer_mistake(request, NotFound(_("there is no such page")))
    found = [_finding(one) for one in error.errors()[:MOST_ERRORS]]
    first = found[0]
    words = f"{first['field']}: {first['message']}"
    return answer_mistake(request, BadInput(words, field=str(first["field"]), errors=found))


def _finding(one: Mapping[str, Any]) -> dict[str, object]:
    """One of them. What is wrong with a body as a whole is found as if it were that of a field, or without a word of what to send."""
    if one["type"] == "json_invalid":
        what = one.get("ctx", {}).get("error", one["msg"])
        where = f", at character {one['loc'][1]}" if len(one["loc"]) > 1 else ""
        return {"field": "body", "message": f"this is not JSON: {what}{where}"}
    if one["loc"] == ("body",):
        return {"field": "body", "message": f"{one['msg']}; send JSON, with Content-Type: application/json"}
    return {"field": ".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]), "message": one["msg"]}


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
    """Postgres went away (it restarts; the pool has dropped its connections), has no connection left for this, or refused a value that passed our checks.

    Whether it has stored anything is not known: the answer to a commit may have been lost on the way.
    """
    if isinstance(error, DataError | psycopg.DataError):
        return answer_mistake(
            request, BadInput(_("one of the values is not one that can be stored; check it and try again"))
        )
    _log.warning("the database does not answer: %s", error)
    return answer_mistake(
        request, Away(_("the database is not answering, so what you sent may not be stored; please try again"))
    )


def answer_unknown_tables(request: Request, error: Exception) -> Response:
    """A statement that the database does not understand, or no longer, is a bug, unless its tables are those of another version."""
    try:
        demand_fitting()
    except TablesDiffer as difference:
        _log.error("%s", difference)
        words = _("this server is being brought to another version; nothing was stored, please try again in a minute")
        return answer_mistake(request, Away(words))
    raise error


def answer_storage_error(request: Request, error: Exception) -> Response:
    """The disk is full or S3 is away: nothing was committed, and whoever runs this server must see to it."""
    _log.error("the storage failed in %s %s: %s", request.method, request.url.path, in_words(error), exc_info=error)
    words = _("there is no room left for files; nothing was stored. Whoever runs this server must make some")
    if not is_full(error):
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
