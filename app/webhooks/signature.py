"""How a message is signed, so that its receiver knows who sent it and when: the Standard Webhooks scheme. Pure.

Source: the specification at standardwebhooks.com, version 1. Its libraries check what is made here; `docs/webhooks.md` shows how
to do it without one.

    signed      "<id>.<timestamp>.<body>", the timestamp in whole seconds since 1970
    signature   "v1," + base64(HMAC-SHA-256(secret, signed)); with two secrets two of them, separated by a space
    secret      "whsec_" + base64(bytes), as it is shown; the bytes are the key
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """The secret as its receiver is given it."""
    return PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; the receiver accepts it if one of the signatures is right."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }
