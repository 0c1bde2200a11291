"""The API's own description, OpenAPI 3.1: what FastAPI finds out by itself, with the answers that no route declares, and who may ask.

Generators of clients name a method after `operationId`, which is the name of the route's function. The first sentence of its
docstring is the summary, and what follows is the description. The examples are those of `app/examples.py`. Problems (RFC 9457) are listed at the statuses
where they can occur, as the address, the body and the verb of an operation allow them.
"""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app import examples
from app.idempotency import LONGEST_KEY

ABOUT = """People compare responses, models learn from it, and programs fetch both.

Send `Authorization: Bearer tbk_…` with a token from your account's page or from `tiebreak token create`. Lists are pages: follow `Link` with
`rel="next"`. Whatever goes wrong is told as a problem document (RFC 9457) that says what to do.
"""
PROBLEM = {
    "title": "Problem",
    "description": "What went wrong, and what to do about it (RFC 9457). `field` names the part of the input that is meant.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type", "title", "status", "detail"],
    "examples": [
        {
            "type": "about:blank",
            "title": "Not found",
            "status": 404,
            "detail": "there is no project “words” that you may see",
        }
    ],
}
MEANS = {
    "400": "The request cannot be read.",
    "401": "No token, or one that is unknown, revoked or expired.",
    "403": "The token's scopes or bounds, or the role of its user, do not reach so far.",
    "404": "There is no such thing, or it is not yours.",
    "409": "It does not fit what is there: the name is taken, the turn is over, the run has ended.",
    "413": "More than this server takes in one request.",
    "422": "A value is not one that is allowed; `field` names it.",
    "429": "Too many requests in a minute; `Retry-After` says how long to wait.",
    "503": "The database, the storage or a trainer is away; what was sent may not be stored.",
}
OF_EVERY_ROUTE = ("401", "403", "429", "503")
_AGAIN = {"200": "It was stored before, by a request with this Idempotency-Key."}
_FILE = {"206": "The part that `Range` asks for.", "304": "The file is the one that `If-None-Match` names."}
# What else a route answers with, where that says something else than its usual answer.
ALSO = {
    "judge": _AGAIN,
    "revise_judgment": _AGAIN,
    "withdraw_judgment": _AGAIN,
    "freeze_dataset": {"200": "Nothing has changed since the newest version, which this is."},
    "next_turn": {"204": "Nothing is left for you to judge."},
    "dataset_file": _FILE,
    "checkpoint_file": _FILE,
    "run_log": _FILE,
}
# Parameters of lists that name one thing, which has to be there.
OF_ONE_THING = {"project", "dataset", "checkpoint", "run", "user"}
# These are refused without the header that others may leave out.
NEED_A_KEY = ("judge", "revise_judgment", "withdraw_judgment")
_SENTENCE = re.compile(r"(.+?)\.(?:\s+|$)(.*)", re.DOTALL)


def operation_name(route: APIRoute) -> str:
    return route.name


def describe(app: FastAPI) -> None:
    """Have the app tell this description, made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = description(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def description(app: FastAPI) -> dict[str, Any]:
    told = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
    parts = told.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = PROBLEM
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "tbk_…"}}
    for path, operations in told["paths"].items():
        if path.startswith("/api/"):
            for verb, operation in operations.items():
                _complete(path, verb, operation)
    for name, example in examples.OF_MODELS.items():
        parts["schemas"][name]["examples"] = [example]
    return told


def _complete(path: str, verb: str, operation: dict[str, Any]) -> None:
    operation["security"] = [{"token": []}]
    _say_in_sentences(operation)
    _show(operation)
    _add_answers(operation)
    if operation["operationId"] in NEED_A_KEY:
        (key,) = (one for one in operation["parameters"] if one["name"] == "Idempotency-Key")
        key |= {"required": True, "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}}
    for status in _problems(path, verb, operation):
        operation["responses"][status] = _problem(status)


def _say_in_sentences(operation: dict[str, Any]) -> None:
    found = _SENTENCE.fullmatch(operation.pop("description", "").strip())
    assert found, f"{operation['operationId']} has a docstring that begins with a sentence"
    operation["summary"] = " ".join(found[1].split())
    if found[2]:
        operation["description"] = found[2]


def _show(operation: dict[str, Any]) -> None:
    """Examples of what has no model: turns and judgments, which are made by hand, and files to import."""
    if example := examples.OF_OPERATIONS.get(operation["operationId"]):
        (usual,) = (answer for status, answer in operation["responses"].items() if status in {"200", "201"})
        content = usual.setdefault("content", {}).setdefault("application/json", {"schema": {"type": "object"}})
        content["example"] = example
    if operation["operationId"] == "import_items":
        operation["requestBody"]["content"]["application/json"]["example"] = examples.IMPORTED


def _add_answers(operation: dict[str, Any]) -> None:
    for status, means in ALSO.get(operation["operationId"], {}).items():
        usual = next(answer for code, answer in operation["responses"].items() if code in {"200", "201"})
        has_body = status in {"200", "206"} and "content" in usual
        operation["responses"][status] = {"description": means} | ({"content": usual["content"]} if has_body else {})


def _problems(path: str, verb: str, operation: dict[str, Any]) -> Iterator[str]:
    operation["responses"].pop("422", None)  # FastAPI's own, which nothing answers with
    operation["responses"].pop("4XX", None)
    yield from OF_EVERY_ROUTE
    named = {one["name"] for one in operation.get("parameters", ())}
    if "{" in path or "requestBody" in operation or named & OF_ONE_THING:
        yield "404"
    if "requestBody" in operation:
        yield from ("400", "413")
    if "requestBody" in operation or operation.get("parameters"):
        yield "422"
    if verb != "get":
        yield "409"


def _problem(status: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": MEANS[status], "content": content}
