"""What can go wrong because of what somebody asked for, drawn as a tree.

    Mistake                     something a person can mend; shown to them in its own words
      NotSignedIn         401   nobody we know
      NotAllowed          403   we know you, but your role or your token's scopes do not reach this far
      NotFound            404   no such row, or not yours: the same answer, so that rows cannot be guessed
      Conflict            409   the name is taken, the key was used for something else
        AtWork                  another request with its Idempotency-Key is; says when to come back
      TooLarge            413   more than this server takes in one request
      TooManyTries        429   too many passwords in a short time; says how long to wait
      TooManyRequests     429   a token has used up its requests for the minute; says how long to wait
      BadInput            422   the form, the JSON or the file; carries the field and, for files, line numbers
        BadJudgment             an outcome or tiers that the item does not allow
        BadRecord               one record of an import
      NoTrainer           503   no live trainer announces what was asked for
      Away                503   the database or the storage does not answer; what was sent may not be stored

Services raise them; `error_responses.py` alone turns them into a page or a problem document (RFC 9457). Their words
go through `gettext` where they are raised: a page's are in the language of its request, a program's in English.
Anything else that is raised is a bug: logged with its traceback and shown as a calm page.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from app.language import marked


class Mistake(Exception):  # noqa: N818 -- a person's mistake, not the program's error
    """Say what is wrong and what to do about it; `field` names the part of the input that is meant.

    `retry_after_s` is how long to wait before the same request is sent again; `type` and `members` are for problem documents
    that others have defined.
    """

    status: int = 400
    title: str = marked("This did not work")
    type: str = "about:blank"
    members: Mapping[str, object] = MappingProxyType({})

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        errors: Sequence[dict[str, object]] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.errors = list(errors)
        self.retry_after_s = retry_after_s


class NotSignedIn(Mistake):
    status = 401
    title = marked("Please sign in")


class NotAllowed(Mistake):
    status = 403
    title = marked("Not allowed")


class NotFound(Mistake):
    status = 404
    title = marked("Not found")


class Conflict(Mistake):
    status = 409
    title = marked("Already there")


class AtWork(Conflict):
    title = marked("Not done yet")


class TooLarge(Mistake):
    status = 413
    title = marked("Too large")


class TooManyTries(Mistake):
    status = 429
    title = marked("Too many tries")


class TooManyRequests(Mistake):
    """`policies` are the names of the limits that were reached, as the `RateLimit-Policy` header says them."""

    status = 429
    title = marked("Too many requests")
    type = "https://iana.org/assignments/http-problem-types#quota-exceeded"

    def __init__(self, message: str, *, retry_after_s: int, policies: Sequence[str]) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.members = {"violated-policies": list(policies)}


class BadInput(Mistake):
    status = 422
    title = marked("Please check what you entered")


class BadJudgment(BadInput):
    title = marked("This judgment does not fit the item")


class BadRecord(BadInput):
    title = marked("This record cannot be imported")


class NoTrainer(Mistake):
    status = 503
    title = marked("No trainer is running")


class Away(Mistake):
    status = 503
    title = marked("Please try again in a moment")
