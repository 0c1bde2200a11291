"""The API's own description, OpenAPI 3.1: what FastAPI finds out by itself, with the answers that no route declares, and who may ask.

Generators of clients name a method after `operationId`, which is the name of the route's function. Problems (RFC 9457) are listed at the statuses
where they can occur, as the address, the body and the verb of an operation allow them.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

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
    "503": "The database, the storage or a trainer is away; nothing was stored.",
}
OF_EVERY_ROUTE = ("401", "403", "429", "503")


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
                operation["security"] = [{"token": []}]
                for status in _problems(path, verb, operation):
                    operation["responses"][status] = _problem(status)
    return told


def _problems(path: str, verb: str, operation: dict[str, Any]) -> Iterator[str]:
    operation["responses"].pop("422", None)  # FastAPI's own, which nothing answers with
    operation["responses"].pop("4XX", None)
    yield from OF_EVERY_ROUTE
    if "{" in path or "requestBody" in operation:
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
