"""One's own tokens, for programs: which there are, and the end of one.

None is made here: whoever came by a token could make others from it, which outlive its revocation. The page and the command make them.
"""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from app.access import Caller, MayRead, Person
from app.db import SessionDep
from app.errors import NotAllowed
from app.forms import RowNumber
from app.people import queries, service
from app.settings import get_settings

router = APIRouter(tags=["tokens"])


class TokenAnswer(BaseModel):
    """`projects` are the slugs that it is bound to, null for one without bounds. `last_used_at` is right to a minute.

    `rate_limit` is how many requests a minute it may send, its own or the usual; null for no limit.
    """

    id: int
    name: str
    scopes: list[str]
    projects: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rate_limit: int | None
    is_this: bool


def answer(shown: queries.Shown, person: Person) -> TokenAnswer:
    token = shown.token
    return TokenAnswer(
        id=token.id,
        name=token.name,
        scopes=token.scopes,
        projects=None if token.project_ids is None else list(shown.projects),
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        rate_limit=token.rate_limit or get_settings().rate_limit or None,
        is_this=token.id == person.token_id,
    )


@router.get("/tokens")
def list_tokens(person: MayRead, session: SessionDep) -> list[TokenAnswer]:
    """List one's own tokens that are not revoked, newest first. A token that is bound to projects is told of itself alone."""
    mine = queries.tokens(session, person.id)
    return [answer(one, person) for one in mine if person.projects is None or one.token.id == person.token_id]


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: RowNumber, person: Caller, session: SessionDep) -> None:
    """Revoke a token. Any token may end itself; to end another one of the same person it needs the scope admin, and no bounds."""
    is_itself = token_id == person.token_id
    if not is_itself and person.scopes is not None and ("admin" not in person.scopes or person.projects is not None):
        raise NotAllowed("a token may revoke itself; revoking another one takes the scope “admin” and no bounds")
    service.revoke_token(session, person, token_id)
