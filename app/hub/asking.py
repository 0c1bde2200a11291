"""Who asks the hub, and what of: the parameters that its routes share.

In an address `{kind:kinds}` is the plural of a kind of repository, and nothing else: `/api/v1` is not the hub's.
"""

from typing import Annotated

from fastapi import Depends, Request
from starlette.convertors import Convertor, register_url_convertor

from app.access import COOKIE, Person, person_of_cookie, person_of_token, program
from app.db import SessionDep
from app.errors import NotAllowed, NotSignedIn
from app.hub.refusals import Refused, no_repository, wrong_token

SCOPE = "read"


class _Kinds(Convertor[str]):
    regex = "models|datasets"

    def convert(self, value: str) -> str:
        return value.removesuffix("s")

    def to_string(self, value: str) -> str:
        return f"{value}s"


register_url_convertor("kinds", _Kinds())


def reader(request: Request, session: SessionDep) -> Person:
    """Whoever may read repositories, by a token or signed in with a browser."""
    try:
        return program(session, request, SCOPE)
    except NotSignedIn:
        raise _unknown(request) from None
    except NotAllowed:
        raise Refused(403, f"this token lacks the scope {SCOPE}; make one that has it") from None


def somebody(request: Request, session: SessionDep) -> Person:
    """Whoever has a token or is signed in, whatever they may do."""
    header = request.headers.get("authorization")
    cookie = request.cookies.get(COOKIE, "")
    person = person_of_cookie(session, cookie) if header is None else person_of_token(session, header)
    if person is None:
        raise _unknown(request)
    return person


def _unknown(request: Request) -> Refused:
    return wrong_token() if "authorization" in request.headers else no_repository(asked_by_somebody=False)


Reader = Annotated[Person, Depends(reader)]
Somebody = Annotated[Person, Depends(somebody)]
