"""How often a password may be tried: counted before it is looked at, in the database, so that all processes count together.

A try is taken from three allowances: of this client for this address, of this client for all addresses, and of this
address from everywhere. Each is full again after `WINDOW_S`, little by little, so whoever has used one up waits for one
try's worth, minutes at most, and nobody is shut out for good. A password that fits gives its try back.

Strangers could use up the third allowance of somebody's address again and again. So a browser that has signed in to the
account before has an allowance of its own and needs none of the three: it shows a mark that only this server can make,
keyed by the stored hash of the password, and which a new password therefore ends.

Every try costs the same few statements, whether or not there is such an account, and says the same.

An allowance is one row with one time, until when its tries count (the generic cell rate algorithm: a try moves the time
on by `WINDOW_S / burst`, and is refused if that is more than `WINDOW_S` ahead).
"""

import hashlib
import hmac
import math
from dataclasses import dataclass

from sqlalchemy import delete, func
from sqlalchemy.orm import Session

from app.db import fetch, work_unit
from app.errors import TooManyTries
from app.language import ngettext
from app.models import SignInAttempt, User

WINDOW_S = 900
TRIES_OF_PAIR, TRIES_OF_CLIENT, TRIES_OF_ADDRESS = 10, 60, 100

_TAKE = """
    INSERT INTO sign_in_attempt AS past (key, until) VALUES (%(key)s, now() + %(cost)s * interval '1 second')
    ON CONFLICT (key) DO UPDATE SET until = greatest(past.until, now()) + %(cost)s * interval '1 second'
        WHERE past.until + %(cost)s * interval '1 second' <= now() + %(window)s * interval '1 second'
    RETURNING until
"""
_WAIT = """
    SELECT extract(epoch FROM until - now()) + %(cost)s - %(window)s AS seconds FROM sign_in_attempt WHERE key = %(key)s
"""
_GIVE_BACK = (
    "UPDATE sign_in_attempt SET until = until - %(cost)s * interval '1 second' WHERE key = %(key)s RETURNING key"
)


@dataclass(frozen=True, slots=True)
class Allowance:
    key: bytes
    burst: int

    @property
    def values(self) -> dict[str, object]:
        return {"key": self.key, "cost": WINDOW_S / self.burst, "window": WINDOW_S}


def allowances(email: str, client: str, *, is_known: bool) -> list[Allowance]:
    """Always in this order, so that two who take them at once never wait for each other in a circle."""
    if is_known:
        return [_allowance(TRIES_OF_PAIR, "known", email)]
    return [
        _allowance(TRIES_OF_PAIR, "pair", client, email),
        _allowance(TRIES_OF_CLIENT, "client", client),
        _allowance(TRIES_OF_ADDRESS, "address", email),
    ]


def _allowance(burst: int, *words: str) -> Allowance:
    return Allowance(hashlib.sha256("\0".join(words).encode(errors="replace")).digest(), burst)


def take(wanted: list[Allowance]) -> None:
    """Count a try, in a transaction of its own: it counts whatever becomes of the request. Raises TooManyTries."""
    with work_unit() as session:
        for one in wanted:
            if not fetch(session, _TAKE, one.values):
                raise _too_many(session, one)


def _too_many(session: Session, full: Allowance) -> TooManyTries:
    waits = fetch(session, _WAIT, full.values)
    seconds = max(1, math.ceil(waits[0]["seconds"])) if waits else 1
    minutes = math.ceil(seconds / 60)
    words = ngettext(
        "Too many passwords were tried for this address or from this place; nothing is lost. Please try again in %(num)d minute.",
        "Too many passwords were tried for this address or from this place; nothing is lost. Please try again in %(num)d minutes.",
        minutes,
    )
    return TooManyTries(words, retry_after_s=seconds)


def give_back(session: Session, taken: list[Allowance]) -> None:
    for one in taken:
        fetch(session, _GIVE_BACK, one.values)


def forget_old(session: Session) -> int:
    """Rows that say nothing any more; says how many. For the sweep."""
    old = delete(SignInAttempt).where(SignInAttempt.until <= func.now()).returning(SignInAttempt.key)
    return len(session.scalars(old).all())


def mark_of(user: User) -> str:
    """What a browser that has signed in to this account keeps, to be known again."""
    key = (user.password_hash or "").encode()
    return hmac.new(key, f"known to {user.id}".encode(), hashlib.sha256).hexdigest()


def is_known(user: User | None, mark: str) -> bool:
    """A cookie may hold anything, also what is no ASCII, which `compare_digest` takes as bytes alone."""
    if user is None or user.password_hash is None:
        return False
    return hmac.compare_digest(mark_of(user).encode(), mark.encode(errors="replace"))
