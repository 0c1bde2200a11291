"""Verbs on people: add somebody, shut them out, set a password, sign in, make and revoke tokens."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.access import TOKEN_PREFIX, Person, hash_password, hashed, password_fits, start_session
from app.characters import CONTROL
from app.errors import BadInput, Conflict, NotFound, NotSignedIn
from app.language import gettext as _
from app.models import ApiToken, Assignment, Audit, BrowserSession, Invitation, Membership, Project, User
from app.models.api_token import SCOPES
from app.models.user import ROLES
from app.people import attempts
from app.people.queries import bounds_for

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000
LONGEST_NAME = 200
MOST_TOKEN_DAYS = 3650


def clean_email(email: str) -> str:
    """The address in the one spelling that is stored. Raises BadInput for what cannot be an address."""
    email = email.strip().lower()
    name, _at, domain = email.partition("@")
    is_odd = any(sign.isspace() for sign in email) or CONTROL.search(email)
    if not name or not domain or is_odd or len(email) > 254:
        raise BadInput(_("%(email)s is not an e-mail address", email=repr(email[:300])), field="email")
    return email


def clean_name(name: str, *, field: str = "name") -> str:
    name = name.strip()
    if len(name) > LONGEST_NAME or CONTROL.search(name):
        raise BadInput(
            _("this is one line of at most %(n)s characters, without control characters", n=LONGEST_NAME),
            field=field,
        )
    return name


def new_password() -> str:
    """Four groups of four letters and digits: 80 bits, and possible to type from paper."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


def add_user(
    session: Session,
    email: str,
    *,
    role: str,
    name: str = "",
    password: str | None = None,
    by: int | None = None,
    by_themselves: bool = False,
) -> str:
    """Add somebody who can sign in; returns their password, made up when none is given. `by` is nobody for a command line."""
    email = clean_email(email)
    if role not in ROLES:
        raise BadInput(
            _("%(role)s is no role; the roles are %(names)s", role=repr(role), names=", ".join(ROLES)),
            field="role",
        )
    password = password if password is not None else new_password()
    values = {
        "email": email,
        "name": clean_name(name) or email.partition("@")[0],
        "role": role,
        "judge_kind": "human",
        "password_hash": hash_password(_long_enough(password)),
    }
    added = session.execute(insert(User).values(values).on_conflict_do_nothing().returning(User.id)).scalar()
    if added is None:
        raise Conflict(_("there is an account for %(email)s already", email=email), field="email")
    who = added if by_themselves else by
    session.add(Audit(user_id=who, action="user.added", subject=email, detail={"role": role}))
    return password


def set_password(session: Session, email: str, password: str | None = None, *, by: int | None = None) -> str:
    """Give somebody a new password and sign them out everywhere; returns the password."""
    user = user_by_email(session, email)
    password = password if password is not None else new_password()
    user.password_hash = hash_password(_long_enough(password))
    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id))
    session.add(Audit(user_id=by, action="user.password_set", subject=user.email or "", detail={}))
    return password


def change_password(session: Session, person: Person, current: str, password: str, *, client: str, cookie: str) -> User:
    """One's own, by somebody who knows the old one; every other browser of theirs is signed out."""
    user = session.get_one(User, person.id)
    taken = attempts.allowances(user.email or "", client, is_known=True)
    attempts.take(taken)
    if not _is_password_of(session, user, current):
        raise BadInput(_("this is not your current password"), field="current")
    attempts.give_back(session, taken)
    user.password_hash = hash_password(_long_enough(password))
    others = BrowserSession.token_hash != hashed(cookie)
    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id, others))
    session.add(Audit(user_id=user.id, action="user.password_changed", subject=user.email or "", detail={}))
    return user


def _long_enough(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(
            _("a password needs %(least)s to %(most)s characters", least=SHORTEST_PASSWORD, most=LONGEST_PASSWORD),
            field="password",
        )
    return password


def _is_password_of(session: Session, user: User | None, password: str) -> bool:
    """Whether it is theirs, and still is after it was looked at, which takes its time: another may have been set meanwhile.

    Of somebody whose it is the row is locked, so that whoever sets another one now ends what begins here as well.
    """
    looked_at = user.password_hash if user else None
    if not password_fits(looked_at, password) or user is None:
        return False
    session.refresh(user, with_for_update={"key_share": True})
    return user.password_hash == looked_at


def user_by_email(session: Session, email: str) -> User:
    user = session.scalars(select(User).where(User.email == clean_email(email))).one_or_none()
    if user is None:
        raise NotFound(
            _("there is no account for %(email)s; add one with `tiebreak user add %(email)s`", email=email),
            field="email",
        )
    return user


@dataclass(frozen=True, slots=True)
class Entered:
    """`secret` is for the session's cookie, `mark` for the one by which the browser is known again."""

    user: User
    secret: str
    mark: str


def enter(session: Session, user: User) -> Entered:
    return Entered(user, start_session(session, user), attempts.mark_of(user))


def sign_in(session: Session, email: str, password: str, *, client: str = "", mark: str = "") -> Entered:
    """Check a password. Says the same whatever was wrong; raises TooManyTries for the impatient."""
    email = email.strip().lower()
    is_odd = len(email) > 254 or CONTROL.search(email) is not None
    user = None if is_odd else session.scalars(select(User).where(User.email == email)).one_or_none()
    taken = attempts.allowances(email, client, is_known=attempts.is_known(user, mark))
    attempts.take(taken)
    fits = _is_password_of(session, user, password)
    if user is None or not fits or user.disabled_at is not None:
        raise NotSignedIn(_("this address and password do not belong together"), field="password")
    attempts.give_back(session, taken)
    return enter(session, user)


def join(session: Session, user_id: int, project_id: int, role: str = "annotator") -> None:
    """Make somebody a member. A manager who is asked in as an annotator stays one."""
    joined = insert(Membership).values(user_id=user_id, project_id=project_id, role=role)
    if role == "manager":
        joined = joined.on_conflict_do_update(index_elements=["user_id", "project_id"], set_={"role": role})
    session.execute(joined if role == "manager" else joined.on_conflict_do_nothing())


def add_member(session: Session, email: str, slug: str, role: str = "annotator", *, by: int | None = None) -> None:
    user = user_by_email(session, email)
    project_id = session.scalar(select(Project.id).where(Project.slug == slug))
    if project_id is None:
        raise NotFound(_("there is no project “%(slug)s”", slug=slug), field="project")
    join(session, user.id, project_id, role)
    detail = {"user": user.id, "name": user.name, "role": role}
    session.add(Audit(user_id=by, action="member.added", subject=slug, detail=detail))


def end_turns(session: Session, user_id: int, project_id: int | None = None) -> None:
    """Let the leases of somebody who is gone run out now; the sweep gives their items to others within seconds."""
    open_turns = update(Assignment).where(Assignment.user_id == user_id, Assignment.state == "open")
    if project_id is not None:
        open_turns = open_turns.where(Assignment.project_id == project_id)
    session.execute(open_turns.values(expires_at=func.now()))


def disable(session: Session, email: str, *, by: int | None = None) -> User:
    """Shut an account out: browsers, tokens, open turns and the links it made end now. What it did stays."""
    user = user_by_email(session, email)
    session.execute(select(User.id).where(User.role == "admin").order_by(User.id).with_for_update())
    others = select(User.id).where(User.role == "admin", User.disabled_at.is_(None), User.id != user.id).limit(1)
    if user.role == "admin" and session.scalar(others) is None:
        raise Conflict(_("this is the only admin; make another one first"), field="email")
    if user.disabled_at is None:
        user.disabled_at = datetime.now(UTC)
        session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id))
        # for good: who is let in again later need not have every key back that somebody may have found
        theirs = update(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
        session.execute(theirs.values(revoked_at=func.now()))
        end_turns(session, user.id)
        revoke_links_of(session, user.id)
        session.add(Audit(user_id=by, action="user.disabled", subject=user.email or "", detail={}))
    return user


def enable(session: Session, email: str, *, by: int | None = None) -> User:
    user = user_by_email(session, email)
    if user.disabled_at is not None:
        user.disabled_at = None
        session.add(Audit(user_id=by, action="user.enabled", subject=user.email or "", detail={}))
    return user


def revoke_links_of(session: Session, user_id: int, project_id: int | None = None) -> None:
    """Links that somebody made are worth no more than what they may still do."""
    links = update(Invitation).where(Invitation.invited_by == user_id, Invitation.used_at.is_(None))
    if project_id is not None:
        links = links.where(Invitation.project_id == project_id)
    session.execute(links.where(Invitation.revoked_at.is_(None)).values(revoked_at=func.now()))


def make_token(
    session: Session,
    user: User | Person,
    scopes: Collection[str],
    *,
    name: str = "",
    days: int | None = None,
    rate_limit: int | None = None,
    projects: Collection[str] = (),
) -> str:
    """A new API token; it is shown this once, only its hash is kept. Bound to `projects`, by their slugs, if any are named.

    `rate_limit` is in requests a minute.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise BadInput(
            _(
                "unknown scopes: %(names)s; the scopes are %(known)s",
                names=", ".join(unknown) or "none given",
                known=", ".join(SCOPES),
            ),
            field="scopes",
        )
    if days is not None and not 1 <= days <= MOST_TOKEN_DAYS:
        raise BadInput(_("a token lasts for 1 to %(most)s days", most=MOST_TOKEN_DAYS), field="days")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        user_id=user.id,
        name=clean_name(name),
        token_hash=hashed(secret),
        scopes=sorted(set(scopes)),
        project_ids=_bounds(session, user, projects),
        expires_at=datetime.now(UTC) + timedelta(days=days) if days is not None else None,
        rate_limit=rate_limit,
    )
    session.add(row)
    detail = {"scopes": row.scopes, "projects": sorted(set(projects))}
    session.add(Audit(user_id=user.id, action="token.made", subject=row.name, detail=detail))
    return secret


def _bounds(session: Session, user: User | Person, slugs: Collection[str]) -> list[int] | None:
    """The ids of projects that they may see. Raises BadInput that names the others."""
    theirs = {choice.slug: choice.id for choice in bounds_for(session, user)} if slugs else {}
    unknown = sorted(set(slugs) - set(theirs))
    if unknown:
        words = _("there is no project of yours named %(names)s", names=", ".join(unknown)[:300])
        raise BadInput(words, field="projects")
    return sorted(theirs[slug] for slug in set(slugs)) or None


def revoke_token(session: Session, owner: User | Person, token_id: int) -> ApiToken:
    """Shut out whatever uses it; what is revoked already stays so."""
    token = session.get(ApiToken, token_id)
    if token is None or token.user_id != owner.id:
        raise NotFound(_("there is no such token of yours"))
    if token.revoked_at is None:
        token.revoked_at = datetime.now(UTC)
        session.add(Audit(user_id=owner.id, action="token.revoked", subject=token.name, detail={"token": token.id}))
    return token
