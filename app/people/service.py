"""Verbs on people: add somebody, set a password, sign in, make and revoke tokens."""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.access import TOKEN_PREFIX, Person, hash_password, hashed, password_fits, start_session
from app.errors import BadInput, Conflict, NotFound, NotSignedIn
from app.language import gettext
from app.models import ApiToken, Audit, BrowserSession, Membership, Project, User
from app.models.api_token import SCOPES
from app.models.user import ROLES

SHORTEST_PASSWORD = 10


def clean_email(email: str) -> str:
    """The address in the one spelling that is stored. Raises BadInput for what cannot be an address."""
    email = email.strip().lower()
    name, _, domain = email.partition("@")
    if not name or not domain or any(sign.isspace() for sign in email) or len(email) > 254:
        raise BadInput(gettext("%(email)s is not an e-mail address", email=repr(email)), field="email")
    return email


def new_password() -> str:
    """Four groups of four letters and digits: 80 bits, and possible to type from paper."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


def add_user(session: Session, email: str, *, role: str, name: str = "", password: str | None = None) -> str:
    """Add somebody who can sign in; returns their password, made up when none is given."""
    email = clean_email(email)
    if role not in ROLES:
        raise BadInput(
            gettext("%(role)s is no role; the roles are %(names)s", role=repr(role), names=", ".join(ROLES)),
            field="role",
        )
    password = password if password is not None else new_password()
    values = {
        "email": email,
        "name": name.strip() or email.partition("@")[0],
        "role": role,
        "judge_kind": "human",
        "password_hash": hash_password(_long_enough(password)),
    }
    added = session.execute(insert(User).values(values).on_conflict_do_nothing().returning(User.id)).scalar()
    if added is None:
        raise Conflict(gettext("there is an account for %(email)s already", email=email), field="email")
    session.add(Audit(user_id=added, action="user.added", subject=email, detail={"role": role}))
    return password


def set_password(session: Session, email: str, password: str | None = None) -> str:
    """Give somebody a new password and sign them out everywhere; returns the password."""
    user = user_by_email(session, email)
    password = password if password is not None else new_password()
    user.password_hash = hash_password(_long_enough(password))
    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id))
    session.add(Audit(user_id=user.id, action="user.password_set", subject=user.email or "", detail={}))
    return password


def _long_enough(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput(
            gettext("a password needs at least %(n)s characters", n=SHORTEST_PASSWORD),
            field="password",
        )
    return password


def user_by_email(session: Session, email: str) -> User:
    user = session.scalars(select(User).where(User.email == clean_email(email))).one_or_none()
    if user is None:
        raise NotFound(
            gettext(
                "there is no account for %(email)s; add one with `tiebreak user add %(email)s`",
                email=email,
            )
        )
    return user


def sign_in(session: Session, email: str, password: str) -> str:
    """Check a password; returns the cookie's secret. Says the same whatever was wrong."""
    user = session.scalars(select(User).where(User.email == email.strip().lower())).one_or_none()
    fits = password_fits(user.password_hash if user else None, password)
    if user is None or not fits or user.disabled_at is not None:
        raise NotSignedIn(gettext("this address and password do not belong together"), field="password")
    return start_session(session, user)


def join(session: Session, user_id: int, project_id: int) -> None:
    session.execute(insert(Membership).values(user_id=user_id, project_id=project_id).on_conflict_do_nothing())


def add_member(session: Session, email: str, slug: str) -> None:
    user = user_by_email(session, email)
    project_id = session.scalar(select(Project.id).where(Project.slug == slug))
    if project_id is None:
        raise NotFound(gettext("there is no project “%(slug)s”", slug=slug), field="project")
    join(session, user.id, project_id)


def make_token(
    session: Session, user: User | Person, scopes: Collection[str], *, name: str = "", days: int | None = None
) -> str:
    """A new API token; it is shown this once, only its hash is kept."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise BadInput(
            gettext(
                "unknown scopes: %(names)s; the scopes are %(known)s",
                names=", ".join(unknown) or "none given",
                known=", ".join(SCOPES),
            ),
            field="scopes",
        )
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    row = ApiToken(
        user_id=user.id, name=name, token_hash=hashed(secret), scopes=sorted(set(scopes)), expires_at=expires_at
    )
    session.add(row)
    session.add(Audit(user_id=user.id, action="token.made", subject=name, detail={"scopes": row.scopes}))
    return secret


def revoke_token(session: Session, person: Person, token_id: int) -> None:
    token = session.get(ApiToken, token_id)
    if token is None or token.user_id != person.id:
        raise NotFound(gettext("there is no such token of yours"))
    token.revoked_at = token.revoked_at or datetime.now(UTC)
    session.add(Audit(user_id=person.id, action="token.revoked", subject=token.name, detail={}))
