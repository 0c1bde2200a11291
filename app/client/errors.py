"""What can go wrong for a program that uses Tiebreak, drawn as a tree.

TiebreakError
  ApiError                  the server said no: its `status`, `title` and `detail`, and what it says of single fields
    NotSignedInError   401  no token, or one that is no longer valid
    NotAllowedError    403  a token whose scopes, or whose user's role, do not reach this far
    NotFoundError      404  no such thing, or not yours
    ConflictError      409  the name is taken, the run is over, …
    TooLargeError      413  more than the server takes in one request
    BadInputError      422  what was sent; `field` and `errors` say where
    TooManyRequestsError 429  `retry_after_s` says how long to wait; raised only after the client has waited itself
    ServerError        5xx  not your fault
  UnexpectedAnswerError     an answer that is not Tiebreak's: another server, or another version
  ConnectionLostError       no answer, also after trying again
    CutStreamError          an answer that broke off; `n_read` records came through
  ChecksumError             a file that is not what its SHA-256 says, also after fetching it anew
  RunFailedError            `run` ended without a checkpoint; its words are the error's
    RunCancelledError       … because somebody cancelled it
  StillRunningError         `run` was not over in time; it goes on. A TimeoutError as well
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from .runs import Run


class TiebreakError(Exception):
    pass


class UnexpectedAnswerError(TiebreakError):
    pass


class ConnectionLostError(TiebreakError):
    pass


class CutStreamError(ConnectionLostError):
    def __init__(self, message: str, *, n_read: int) -> None:
        super().__init__(message)
        self.n_read = n_read


class ChecksumError(TiebreakError):
    pass


class RunFailedError(TiebreakError):
    def __init__(self, message: str, run: "Run") -> None:
        super().__init__(message)
        self.run = run


class RunCancelledError(RunFailedError):
    pass


class StillRunningError(TiebreakError, TimeoutError):
    def __init__(self, message: str, run: "Run") -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with what was sent: in which field, or in which line of a file."""

    message: str
    field: str | None = None
    line: int | None = None


class ApiError(TiebreakError):
    """A problem document (RFC 9457), or whatever else came with an error's status."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        field: str | None = None,
        errors: tuple[Finding, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        others = [f"{one.field}: {one.message}" for one in errors if one.field and one.message not in detail]
        super().__init__("\n  ".join([f"{title} ({status}): {detail}", *others]))
        self.status = status
        self.title = title
        self.detail = detail
        self.field = field
        self.errors = errors
        self.retry_after_s = retry_after_s


class NotSignedInError(ApiError):
    pass


class NotAllowedError(ApiError):
    pass


class NotFoundError(ApiError):
    pass


class ConflictError(ApiError):
    pass


class TooLargeError(ApiError):
    pass


class BadInputError(ApiError):
    pass


class TooManyRequestsError(ApiError):
    pass


class ServerError(ApiError):
    pass


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadInputError,
    401: NotSignedInError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: BadInputError,
    429: TooManyRequestsError,
}


def refusal(answer: httpx.Response) -> ApiError:
    """An answer with an error's status, whose body has been read, as an exception."""
    told = _document(answer)
    status = answer.status_code
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return kind(
        status,
        str(told.get("title") or answer.reason_phrase or "Refused"),
        str(told.get("detail") or answer.text[:300].strip() or "the server says nothing more"),
        field=told.get("field"),
        errors=tuple(
            Finding(str(one.get("message", "")), one.get("field"), one.get("line"))
            for one in told.get("errors", ())
            if isinstance(one, dict)
        ),
        retry_after_s=retry_after_s(answer),
    )


def retry_after_s(answer: httpx.Response) -> float | None:
    """What `Retry-After` asks for, in seconds; it may be a number or a date (RFC 9110)."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        return max((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):  # none, a date that is none, or one without a time zone
        return None


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
