"""Who is asking, and how far they reach: sessions, tokens, scopes, roles, and requests forged by other sites.

Browsers carry a session cookie (HttpOnly, SameSite=Lax); programs a bearer token `tbk_…`. Both are random, and only
their SHA-256 is stored. A person's reach is their role; a token's is its scopes within its user's role.

    who                     may                                                                     scopes of their tokens
    nobody we know          sign in, and come in by a link
    annotator               judge in the projects they are members of; see what they judged         judge read
    manager of a project    its settings, people, items, imports and datasets, besides judging      + import export admin
    admin                   everything everywhere; they alone make projects and run trainings       + train

Being a manager is a membership's role, so the same person may only judge in the next project; `projects.managed_project` is
the gate. What somebody may not see is answered as if it were not there.

Forged requests (CSRF) are told by what the browser itself says of them, `Sec-Fetch-Site` and `Origin`, in one place for
every route, instead of a secret in each form: nothing can be forgotten in a template, and signing in is covered too.
A request with neither header does not come from a browser, so no other site can have made a person send it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Annotated
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Depends, Request
from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.db import SessionDep, fetch
from app.errors import NotAllowed, NotSignedIn
from app.language import gettext, speak
from app.models import BrowserSession, User
from app.models.api_token import SCOPES
from app.settings import get_settings

COOKIE = "tiebreak_session"
TOKEN_PREFIX = "tbk_"  # noqa: S105 -- the public beginning of every token
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_passwords = PasswordHasher()
# A hash that no password has: signing in costs the same whether or not the address is known.
_NOBODY = _passwords.hash(secrets.token_urlsafe(16))
# Each look at a password takes 64 MiB: a crowd of strangers must not take gigabytes.
_few_at_once = BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever sent this request. `scopes` is None for a browser, which reaches as far as the role does.

    `leads` says that they are a manager of some project; of which ones, `managed_project` knows.
    """

    id: int
    name: str
    role: str
    scopes: frozenset[str] | None = None
    leads: bool = False
    language: str | None = None

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def manages(self) -> bool:
        """Whether there may be a project that they manage."""
        return self.is_admin or self.leads


ANNOTATORS_SCOPES = ("judge", "read")
MANAGERS_SCOPES = ("judge", "import", "export", "read", "admin")


def scopes_of(person: Person) -> Sequence[str]:
    """The scopes that reach as far as this person's role, and no further."""
    if person.is_admin:
        return SCOPES
    return MANAGERS_SCOPES if person.leads else ANNOTATORS_SCOPES


def hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def hash_password(password: str) -> str:
    return _passwords.hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    try:
        with _few_at_once:
            _passwords.verify(stored or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def start_session(session: Session, user: User) -> str:
    """Remember a browser; returns the secret for its cookie."""
    secret = secrets.token_urlsafe(32)
    ends = datetime.now(UTC) + timedelta(days=get_settings().session_days)
    session.add(BrowserSession(user_id=user.id, token_hash=hashed(secret), expires_at=ends))
    return secret


def end_session(session: Session, secret: str) -> None:
    session.execute(delete(BrowserSession).where(BrowserSession.token_hash == hashed(secret)))


def forget_ended_sessions(session: Session) -> int:
    """Browsers that were signed in for as long as they may be; says how many. For the sweep."""
    ended = delete(BrowserSession).where(BrowserSession.expires_at <= datetime.now(UTC)).returning(BrowserSession.id)
    return len(session.scalars(ended).all())


_COOKIE = """
    SELECT "user".id, "user".name, "user".role, "user".language,
        EXISTS (SELECT FROM membership WHERE user_id = "user".id AND membership.role = 'manager') AS leads
    FROM browser_session JOIN "user" ON "user".id = browser_session.user_id
    WHERE token_hash = %(token_hash)s AND expires_at > now() AND disabled_at IS NULL
"""


def person_of_cookie(session: Session, secret: str) -> Person | None:
    for row in fetch(session, _COOKIE, {"token_hash": hashed(secret)}):
        return Person(**row)
    return None


_BEARER = """
    SELECT "user".id, "user".name, "user".role, api_token.scopes,
        EXISTS (SELECT FROM membership WHERE user_id = "user".id AND membership.role = 'manager') AS leads
    FROM api_token JOIN "user" ON "user".id = api_token.user_id
    WHERE token_hash = %(token_hash)s AND revoked_at IS NULL AND disabled_at IS NULL
    AND (expires_at IS NULL OR expires_at > now())
"""


def person_of_token(session: Session, authorization: str) -> Person | None:
    """The person behind `Authorization: Bearer tbk_…`, unless it is unknown, revoked or expired."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.startswith(TOKEN_PREFIX):
        return None
    for row in fetch(session, _BEARER, {"token_hash": hashed(secret)}):
        return Person(row["id"], row["name"], row["role"], frozenset(row["scopes"]), row["leads"])
    return None


def browser(request: Request, session: SessionDep) -> Person:
    person = person_of_cookie(session, request.cookies.get(COOKIE, ""))
    if person is None:
        raise NotSignedIn(gettext("sign in to see this page"))
    request.state.person = person  # so that a mistake's page keeps the places they may go to
    speak(person.language)
    return person


SignedIn = Annotated[Person, Depends(browser)]


def admin(person: SignedIn) -> Person:
    if person.role != "admin":
        raise NotAllowed(gettext("this page is for admins; ask one of them"))
    return person


Admin = Annotated[Person, Depends(admin)]


def manager(person: SignedIn) -> Person:
    if not person.manages:
        raise NotAllowed(gettext("this page is for those who manage a project; ask one of them, or an admin"))
    return person


Manager = Annotated[Person, Depends(manager)]


def program(session: Session, request: Request, scope: str) -> Person:
    """Whoever called the API, if they may use `scope`. A signed-in browser may call it as well."""
    header = request.headers.get("authorization")
    if header is not None:
        person = person_of_token(session, header)
        if person is None:
            raise NotSignedIn("this token is unknown, revoked or expired; make one with `tiebreak token create`")
        if scope not in (person.scopes or ()):
            raise NotAllowed(
                f"this token lacks the scope “{scope}”; make one with `tiebreak token create --scopes {scope}`"
            )
    else:
        person = person_of_cookie(session, request.cookies.get(COOKIE, ""))
        if person is None:
            raise NotSignedIn("send `Authorization: Bearer tbk_…` with a token from `tiebreak token create`")
    if scope not in scopes_of(person):
        whose = "those who manage a project" if scope in MANAGERS_SCOPES else "admins"
        raise NotAllowed(f"“{scope}” is for {whose}, and this account’s role does not reach so far; ask an admin")
    return person


def _scoped(scope: str) -> object:
    def caller(request: Request, session: SessionDep) -> Person:
        return program(session, request, scope)

    return Depends(caller)


# The type of an API route's first parameter says which scope it takes: `def next_item(person: MayJudge)`.
MayJudge = Annotated[Person, _scoped("judge")]
MayRead = Annotated[Person, _scoped("read")]
MayImport = Annotated[Person, _scoped("import")]
MayExport = Annotated[Person, _scoped("export")]
MayTrain = Annotated[Person, _scoped("train")]
MayAdminister = Annotated[Person, _scoped("admin")]


def _reads_data(person: MayRead) -> Person:
    if not person.manages:
        raise NotAllowed(gettext("datasets are for those who manage a project; ask one of them, or an admin"))
    return person


def _reads_everything(person: MayRead) -> Person:
    if not person.is_admin:
        raise NotAllowed(gettext("runs and checkpoints are for admins; ask one of them"))
    return person


def _makes_projects(person: MayAdminister) -> Person:
    if not person.is_admin:
        raise NotAllowed(gettext("only admins make projects; ask one of them"))
    return person


MayReadData = Annotated[Person, Depends(_reads_data)]
MayReadAll = Annotated[Person, Depends(_reads_everything)]
MayMakeProjects = Annotated[Person, Depends(_makes_projects)]


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
