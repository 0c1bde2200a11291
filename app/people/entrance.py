"""How a browser comes in: from where, with what, and where it goes then. For every page and route that lets somebody in."""

from fastapi import Request
from fastapi.responses import Response

from app.access import COOKIE
from app.errors import Mistake, NotSignedIn, TooManyTries
from app.pages import YEAR_S, address_of_site, keep_cookie
from app.people.service import Entered
from app.settings import get_settings

KNOWN_COOKIE = "tiebreak_known"


def own_path(path: str) -> str:
    """Where to go after signing in: only to a page of this site, whatever the address said."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if inside else "/"


def client_of(request: Request) -> str:
    """Where a request comes from. Behind a proxy uvicorn has put in what the proxy says, if it is one that may say it."""
    return request.client.host if request.client else ""


def link_to(request: Request, secret: str) -> str:
    return f"{address_of_site(request)}/join/{secret}"


def refused(page: Response, mistake: Mistake) -> Response:
    """A form beside which it says what was wrong, with the status of that, and how long to wait."""
    page.status_code = 422 if isinstance(mistake, NotSignedIn) else mistake.status
    if isinstance(mistake, TooManyTries):
        page.headers["retry-after"] = str(mistake.retry_after_s)
    return page


def let_in(answer: Response, entered: Entered) -> Response:
    """Give a browser its session, and the mark by which it is known when it signs in again."""
    keep_cookie(answer, COOKIE, entered.secret, get_settings().session_days * 86400)
    keep_cookie(answer, KNOWN_COOKIE, entered.mark, YEAR_S)
    return answer
