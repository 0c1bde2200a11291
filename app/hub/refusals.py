"""What the Hub answers to those it has nothing for: its status, its `X-Error-Code` and its words.

Clients tell what went wrong by them alone, and raise `RepositoryNotFoundError`, `RevisionNotFoundError`, `EntryNotFoundError`
or `GatedRepoError`. As on the Hub, a private repository and none at all are answered alike: 401 to whoever did not say who
they are, 404 to those who may not see it.

    no token, and the repository is private or is none      401  RepoNotFound
    a token that is unknown, revoked or expired             401  (no code: the token is wrong whatever is asked for)
    a token without the scope `read`                        403  (no code; the message says what is missing)
    somebody who may not see it, and none at all            404  RepoNotFound
    no such revision                                        404  RevisionNotFound
    no such file or folder                                  404  EntryNotFound, with the commit that lacks it

Nothing here is gated: who may see a repository may fetch its files.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from app.errors import Mistake

_COMMIT = "X-Repo-Commit"
# Words quote what was asked for, and a server ends a connection rather than send control characters in a header.
_IN_NO_HEADER = re.compile(r"[^ -~]")


class Refused(Mistake):
    """`code` is the Hub's word for it, and `commit` the version that was looked through."""

    def __init__(self, status: int, message: str, *, code: str | None = None, commit: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.commit = commit


def no_repository(*, asked_by_somebody: bool) -> Refused:
    if asked_by_somebody:
        return Refused(404, "Repository not found", code="RepoNotFound")
    return Refused(401, "Invalid username or password.", code="RepoNotFound")


def no_revision(revision: str) -> Refused:
    return Refused(404, f"Invalid rev id: {revision}", code="RevisionNotFound")


def no_entry(path: str, commit: str) -> Refused:
    return Refused(404, f"Entry not found: {path}", code="EntryNotFound", commit=commit)


def wrong_token() -> Refused:
    return Refused(401, "Invalid credentials in Authorization header")


def refusal(mistake: Mistake) -> Response:
    """A mistake in the Hub's shape; whatever else went wrong keeps its status and its words."""
    headers = {"X-Error-Message": _IN_NO_HEADER.sub("?", mistake.message)}
    if isinstance(mistake, Refused):
        headers |= {"X-Error-Code": mistake.code} if mistake.code else {}
        headers |= {_COMMIT: mistake.commit} if mistake.commit else {}
    if mistake.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Authentication required"'
    if mistake.retry_after_s is not None:
        headers["Retry-After"] = str(mistake.retry_after_s)
    return JSONResponse({"error": mistake.message}, status_code=mistake.status, headers=headers)


class HubRoute(APIRoute):
    """A route whose mistakes are answered as the Hub answers them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except Mistake as mistake:
                return refusal(mistake)
            except RequestValidationError as error:
                first = error.errors()[0]
                return refusal(Refused(400, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"))

        return answer
