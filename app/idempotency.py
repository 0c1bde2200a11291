"""`Idempotency-Key`: a request that makes something can be sent again, and makes it once.

A program that hears no answer cannot know whether it was heard. With the same key it may ask again for a day: what was made is
not made again, and it hears what it would have heard then, to the byte, with `Idempotent-Replayed: true`.

    @router.post("/projects", status_code=201)
    @once
    def add_project(new: NewProject, person: MayMakeProjects, session: SessionDep) -> ProjectAnswer: ...

The key's row and the answer are written in the transaction that makes the thing, so there is never one without the other. A
request that fails leaves nothing, and may be sent again with the same key. Who sends one while the first is still at work waits
for it in the database, and is told to come back (409, `Retry-After`) after `PATIENCE_S`; a key that comes with another request
than before is 422 (both as in draft-ietf-httpapi-idempotency-key-header-07). Keys belong to whoever has the token, or to the
signed-in browser, and to a route. Access is checked as for any request, before a kept answer is looked for.

Some answers hold a secret that is shown once. So what is kept is sealed with the credential of the request and its key, of which
the database has hashes alone. Judgments have keys of their own, which are kept for as long as they are (`app/judgments`).
"""

import hashlib
import inspect
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Annotated, Any

import orjson
from cryptography.fernet import Fernet
from fastapi import Depends, Header, Request, Response
from psycopg.errors import LockNotAvailable
from pydantic import TypeAdapter
from sqlalchemy import delete, func
from sqlalchemy.orm import Session

from app.access import COOKIE
from app.db import SessionDep, fetch
from app.errors import AtWork, BadInput
from app.language import gettext as _
from app.models import KeptAnswer

LONGEST_KEY = 255
KEPT_HOURS = 24
PATIENCE_S = 5
REPLAYED = "Idempotent-Replayed"

_CLAIM = """
    INSERT INTO kept_answer (key_hash, request_hash) VALUES (%(key_hash)s, %(request_hash)s)
    ON CONFLICT (key_hash) DO UPDATE SET request_hash = excluded.request_hash, answer = NULL, created_at = now()
        WHERE kept_answer.created_at <= now() - %(kept)s * interval '1 hour'
    RETURNING key_hash
"""
_LOOK = "SELECT request_hash, answer FROM kept_answer WHERE key_hash = %(key_hash)s"
_KEEP = "UPDATE kept_answer SET answer = %(answer)s WHERE key_hash = %(key_hash)s RETURNING key_hash"
_WAIT = "SELECT set_config('lock_timeout', %(within)s, true)"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with a key: the hashes by which it is known again, and the seal of its answer.

    `answer` is the endpoint's own `response`, with the headers and the status that it sets; `usually` the status otherwise.
    """

    key_hash: bytes
    request_hash: bytes
    seal: bytes
    answer: Response
    usually: int


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        description=f"A new one for each thing to be made, the same when retried: it is made once, and for "
        f"{KEPT_HOURS} hours answered as it was then, with `{REPLAYED}: true`. The same key with another request is 422.",
    ),
]


async def asked_once(request: Request, response: Response, key: Key = None) -> Asked | None:
    if key is None:
        return None
    credential = request.headers.get("authorization") or request.cookies.get(COOKIE, "")
    route = request.scope["route"]
    mine: list[str] = [credential, request.method, route.path, key]
    sent: list[str | bytes] = [request.url.path, request.url.query, request.headers.get("content-type", "")]
    sent.append(await request.body())
    return Asked(
        key_hash=_digest("key", *mine),
        request_hash=_digest("request", *sent),
        seal=_digest("seal", *mine),
        answer=response,
        usually=route.status_code,
    )


def _digest(*parts: str | bytes) -> bytes:
    """Of the parts with their lengths, so that no two lists of parts are the same text."""
    digest = hashlib.sha256()
    for part in parts:
        written = part if isinstance(part, bytes) else part.encode(errors="surrogateescape")
        digest.update(len(written).to_bytes(8) + written)
    return digest.digest()


def once(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """An endpoint that takes an Idempotency-Key: a plain function, with what it answers said by its return annotation."""
    signature = inspect.signature(endpoint)
    written = TypeAdapter(signature.return_annotation)

    @wraps(endpoint)
    def answered_once(*, _asked: Asked | None, _session: Session, **values: Any) -> Any:
        if _asked is None:
            return endpoint(**values)
        kept = _claimed(_session, _asked)
        if kept is not None:
            return kept
        body = written.dump_json(endpoint(**values), by_alias=True)
        answer = Response(body, _asked.answer.status_code or _asked.usually, media_type="application/json")
        answer.headers.raw.extend(_asked.answer.headers.raw)
        _keep(_session, _asked, answer)
        return answer

    too = {"_asked": Annotated[Asked | None, Depends(asked_once)], "_session": SessionDep}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in too.items()
    ]
    answered_once.__signature__ = signature.replace(  # type: ignore[attr-defined] # what FastAPI reads
        parameters=[*signature.parameters.values(), *parameters]
    )
    return answered_once


def _claimed(session: Session, asked: Asked) -> Response | None:
    """The answer that is kept for this request; None if it is ours to answer, while everybody else with its key waits."""
    values = {"key_hash": asked.key_hash, "request_hash": asked.request_hash, "kept": KEPT_HOURS}
    fetch(session, _WAIT, {"within": f"{PATIENCE_S}s"})
    try:
        claimed = fetch(session, _CLAIM, values)
    except LockNotAvailable:
        words = _("a request with this Idempotency-Key is still at work; send yours again in a moment")
        raise AtWork(words, retry_after_s=PATIENCE_S) from None
    fetch(session, _WAIT, {"within": "0"})
    if claimed:
        return None
    before = fetch(session, _LOOK, values)[0]
    if before["request_hash"] != asked.request_hash:
        words = _("this Idempotency-Key came with another request before; use a new one for each thing to be made")
        raise BadInput(words, field="idempotency-key")
    return _opened(asked, before["answer"])


def _keep(session: Session, asked: Asked, answer: Response) -> None:
    told = {"status": answer.status_code, "headers": dict(answer.headers), "body": bytes(answer.body).decode()}
    sealed = Fernet(urlsafe_b64encode(asked.seal)).encrypt(orjson.dumps(told))
    fetch(session, _KEEP, {"key_hash": asked.key_hash, "answer": sealed})


def _opened(asked: Asked, sealed: bytes) -> Response:
    told = orjson.loads(Fernet(urlsafe_b64encode(asked.seal)).decrypt(sealed))
    return Response(told["body"], told["status"], {**told["headers"], REPLAYED: "true"})


def forget_old(session: Session) -> int:
    """Answers that were kept for as long as they are; says how many. For the sweep."""
    old = KeptAnswer.created_at <= func.now() - timedelta(hours=KEPT_HOURS)
    return len(session.scalars(delete(KeptAnswer).where(old).returning(KeptAnswer.key_hash)).all())
