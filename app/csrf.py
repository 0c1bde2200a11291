"""Requests that another site made somebody send (CSRF), refused before any route sees them.

They are told by what the browser itself says of them, `Sec-Fetch-Site` and `Origin`, in one place for
every route, instead of a secret in each form: nothing can be forgotten in a template, and signing in is covered too.
A request with neither header does not come from a browser, so no other site can have made a person send it.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import get_settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_forged(scope: Scope) -> bool:
    """Whether a browser says that another site made it send this request."""
    headers = Headers(scope=scope)
    if scope["method"] in SAFE_METHODS or _is_bearer(headers.get("authorization", "")):
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    own = {headers.get("host", ""), urlsplit(get_settings().public_url).netloc} - {""}  # the origin "null" has no host
    return origin is not None and origin.partition("://")[2] not in own


def _is_bearer(authorization: str) -> bool:
    """A token, which no browser sends by itself. It does send the password that a proxy in front has asked for."""
    return authorization[:7].lower() == "bearer "


class ForgedRequestGuard:
    """Middleware: answer requests that another site made somebody send, before any route sees them."""

    def __init__(self, app: ASGIApp, refuse: ASGIApp) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        forged = scope["type"] == "http" and is_forged(scope)
        await (self.refuse if forged else self.app)(scope, receive, send)
