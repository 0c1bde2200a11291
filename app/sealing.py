"""Sealing: somebody else's secret, kept in a row for as long as a job needs it.

Fernet (AES-128-CBC and HMAC-SHA-256, with a random start) under a key that is in no database and no backup: the setting
`SECRET_KEY`, or a file `secret.key` in the data folder, made at its first use and readable by its owner alone. So whoever
gets hold of the rows alone has nothing. Every machine that seals or unseals must have the same key: several machines without
a folder in common need the setting. A key that is lost or changed makes what was sealed before unreadable, and no more than
that: whoever gave it gives it again.
"""

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from app.settings import get_settings

FILE = "secret.key"


class Unreadable(Exception):  # noqa: N818 -- says what it is
    """Sealed with another key than this machine's."""


def seal(secret: bytes) -> bytes:
    from cryptography.fernet import Fernet  # noqa: PLC0415 -- megabytes that no page needs

    return Fernet(_key()).encrypt(secret)


def unseal(sealed: bytes) -> bytes:
    """Raises Unreadable."""
    from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 -- as above

    try:
        return Fernet(_key()).decrypt(sealed)
    except InvalidToken:
        raise Unreadable from None


def _key() -> bytes:
    """Both are long and random already, so one hash makes a key of them: there is nothing to guess slowly."""
    settings = get_settings()
    given = settings.secret_key.get_secret_value().encode() or _own_key(settings.home / FILE)
    return base64.urlsafe_b64encode(hashlib.sha256(b"tiebreak sealing\0" + given).digest())


def _own_key(path: Path) -> bytes:
    """Made once, whole or not at all: of several processes that make one at the same time, all take the first."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(dir=path.parent, prefix=".writing-")  # with rights for its owner alone
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(os.urandom(32).hex().encode())
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    return path.read_bytes()
