"""Who is asking, and how far they reach: sessions, tokens, scopes, bounds and roles.

Browsers carry a session cookie (HttpOnly, SameSite=Lax); programs a bearer token `tbk_…`. Both are random, and only
their SHA-256 is stored. A person's reach is their role; a token's is its scopes within its user's role and, if it is bound to
projects, within these: for such a token other projects do not exist, and what belongs to no project is closed.

    who                     may                                                                     scopes of their tokens
    nobody we know          sign in, and come in by a link
    annotator               judge in the projects they are members of; see what they judged         judge read
    manager of a project    its settings, people, items, imports and datasets, besides judging      + import export admin
    admin                   everything everywhere; they alone make projects and run trainings       + train

Being a manager is a membership's role, so the same person may only judge in the next project; `projects.managed_project` is
the gate. What somebody may not see is answered as if it were not there.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Annotated, LiteralString

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Depends, Request
from sqlalchemy import ColumnElement, delete, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db import Unit, UnitDep, afterwards, among, fetch
from app.errors import NotAllowed, NotSignedIn
from app.language import gettext, speak
from app.models import BrowserSession, User
from app.models.api_token import SCOPES
from app.settings import get_settings

COOKIE = "tiebreak_session"
TOKEN_PREFIX = "tbk_"  # noqa: S105 -- the public beginning of every token
_passwords = PasswordHasher()
# A hash that no password has: signing in costs the same whether or not the address is known.
_NOBODY = _passwords.hash(secrets.token_urlsafe(16))
# Each look at a password takes 64 MiB: a crowd of strangers must not take gigabytes.
_few_at_once = BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever sent this request. `scopes` is None for a browser, which reaches as far as the role does.

    `leads` says that they manage at least one project; `managed_project` knows which. `projects` are the ids of those that
    their token is bound to, None if it is not bound; every query about what belongs to a project asks `within` or `reaches`.
    """

    id: int
    name: str
    role: str
    scopes: frozenset[str] | None = None
    leads: bool = False
    language: str | None = None
    token_id: int | None = None
    projects: frozenset[int] | None = None

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def manages(self) -> bool:
        """Whether there may be a project that they manage."""
        return self.is_admin or self.leads

    def reaches(self, project_id: int) -> bool:
        """Whether a project is within the bounds of their token; their role has its own say."""
        return self.projects is None or project_id in self.projects


def within(person: Person, project_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """`reaches` as a condition on a row's project."""
    return true() if person.projects is None else among(project_id, person.projects)


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


PERSON_OF_COOKIE: LiteralString = """
    SELECT "user".id, "user".name, "user".role, "user".language,
        EXISTS (SELECT FROM membership WHERE user_id = "user".id AND membership.role = 'manager') AS leads
    FROM browser_session JOIN "user" ON "user".id = browser_session.user_id
    WHERE token_hash = %(token_hash)s AND expires_at > now() AND disabled_at IS NULL
"""


def person_of_cookie(unit: Unit, secret: str) -> Person | None:
    for row in fetch(unit, PERSON_OF_COOKIE, {"token_hash": hashed(secret)}):
        return Person(**row)
    return None


# How coarse the last use is: writing it costs one short transaction a token and minute, and the rest of the minute nothing.
_NOTED_EVERY = timedelta(minutes=1)
_BEARER = """
    SELECT "user".id, "user".name, "user".role, api_token.id AS token_id, api_token.scopes, api_token.project_ids,
        coalesce(last_used_at < now() - %(noted_every)s, true) AS is_news,
        EXISTS (
            SELECT FROM membership WHERE user_id = "user".id AND membership.role = 'manager'
            AND (project_ids IS NULL OR membership.project_id = ANY (project_ids))) AS leads
    FROM api_token JOIN "user" ON "user".id = api_token.user_id
    WHERE token_hash = %(token_hash)s AND revoked_at IS NULL AND disabled_at IS NULL
    AND (expires_at IS NULL OR expires_at > now())
"""
_USED = """
    UPDATE api_token SET last_used_at = now()
    WHERE id = %(token_id)s AND coalesce(last_used_at < now() - %(noted_every)s, true) RETURNING id
"""


def person_of_token(unit: Unit, authorization: str) -> Person | None:
    """The person behind `Authorization: Bearer tbk_…`, unless it is unknown, revoked or expired."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.startswith(TOKEN_PREFIX):
        return None
    for row in fetch(unit, _BEARER, {"token_hash": hashed(secret), "noted_every": _NOTED_EVERY}):
        if row["is_news"]:  # also of a request that is refused: whoever looks for a token that leaked wants to see it
            afterwards(unit, _USED, {"token_id": row["token_id"], "noted_every": _NOTED_EVERY})
        bounds = row["project_ids"]
        return Person(
            row["id"],
            row["name"],
            row["role"],
            frozenset(row["scopes"]),
            row["leads"],
            token_id=row["token_id"],
            projects=None if bounds is None else frozenset(bounds),
        )
    return None


def browser(request: Request, unit: UnitDep) -> Person:
    return admit(request, person_of_cookie(unit, request.cookies.get(COOKIE, "")))


def admit(request: Request, person: Person | None) -> Person:
    """From here on the request is this person's, and answered in their language. Raises NotSignedIn for nobody."""
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


def caller(request: Request, unit: UnitDep) -> Person:
    """Whoever called the API, whatever they may do there. A signed-in browser may call it as well."""
    header = request.headers.get("authorization")
    if header is None:
        person = person_of_cookie(unit, request.cookies.get(COOKIE, ""))
        wanted = "send `Authorization: Bearer tbk_…` with a token from `tiebreak token create`"
    else:
        person = person_of_token(unit, header)
        wanted = "this token is unknown, revoked or expired; make one with `tiebreak token create`"
    if person is None:
        raise NotSignedIn(wanted)
    return person


Caller = Annotated[Person, Depends(caller)]


def program(unit: Unit, request: Request, scope: str) -> Person:
    """Whoever called the API, if they may use `scope`."""
    person = caller(request, unit)
    if person.scopes is not None and scope not in person.scopes:
        raise NotAllowed(
            f"this token lacks the scope “{scope}”; make one with `tiebreak token create --scopes {scope}`"
        )
    if scope not in scopes_of(person):
        whose = "those who manage a project" if scope in MANAGERS_SCOPES else "admins"
        raise NotAllowed(f"“{scope}” is for {whose}, and this account’s role does not reach so far; ask an admin")
    return person


def _scoped(scope: str) -> object:
    def scoped(request: Request, unit: UnitDep) -> Person:
        return program(unit, request, scope)

    return Depends(scoped)


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


def unbound(person: Person) -> Person:
    """For what belongs to no project, or to all of them. Raises NotAllowed for a token that is bound to projects."""
    if person.projects is not None:
        raise NotAllowed(
            gettext("this token is bound to projects, and this is about more than them; make one that is not")
        )
    return person


def _runs_place(person: MayAdminister) -> Person:
    if not person.is_admin:
        raise NotAllowed(gettext("this is for admins; ask one of them"))
    return unbound(person)


MayReadData = Annotated[Person, Depends(_reads_data)]
MayReadAll = Annotated[Person, Depends(_reads_everything)]
MayRunPlace = Annotated[Person, Depends(_runs_place)]
