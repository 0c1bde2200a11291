"""What was done in this place and by whom, for its admins: a page and a list for programs, by the same filters.

The rows are append-only and hold no judgments, which are their own record. A project's managers read what was done to it on its own page
in the same words (`deeds.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Admin, MayRunPlace
from app.db import SessionDep
from app.deeds import Deed, told
from app.forms import LARGEST_ID
from app.keyset import After, Limit, Paging, cut
from app.models import Audit, User
from app.pages import Page, render

api = APIRouter(tags=["audit"])
router = APIRouter()
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is None is not asked for. `action` may be the part before the point: `run` is every `run.…`."""

    action: str | None = None
    subject: str | None = None
    user: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def wanted_of_program(
    action: Annotated[
        str | None, Query(max_length=LONGEST, description="`run.ordered`, or `run` for every `run.…`.")
    ] = None,
    subject: Annotated[
        str | None, Query(max_length=LONGEST, description="What it was done to, as it is written.")
    ] = None,
    user: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="The id of who did it.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="From then on.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before then.")] = None,
) -> Wanted:
    return Wanted(_storable(action), _storable(subject), user, since, until)


def wanted_of_page(
    action: Annotated[str, Query(max_length=LONGEST)] = "", subject: Annotated[str, Query(max_length=LONGEST)] = ""
) -> Wanted:
    return Wanted(_storable(action.strip()) or None, _storable(subject.strip()) or None)


def _storable(words: str | None) -> str | None:
    """Postgres has no NUL in its texts; nothing there can be equal to one with it."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}") if words is not None else None


class DeedAnswer(BaseModel):
    """`words` say it in a sentence; `detail` depends on the action.

    `user` and `user_name` are null for what the command line or the server itself did.
    """

    id: int
    at: datetime
    user: int | None
    user_name: str | None
    action: str
    subject: str
    words: str
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class AuditPage(Page):
    deeds: Sequence[tuple[Audit, Deed]]
    wanted: Wanted
    earlier: str | None


def deeds_page(
    session: Session, wanted: Wanted, *, after: int | None, limit: int
) -> Sequence[tuple[Audit, str | None]]:
    """Newest first, with the name of who did it, and one more than `limit` if there are more."""
    statement = select(Audit, User.name).outerjoin(User, User.id == Audit.user_id)
    if wanted.action is not None:
        is_whole = "." in wanted.action
        statement = statement.where(
            Audit.action == wanted.action if is_whole else Audit.action.startswith(f"{wanted.action}.", autoescape=True)
        )
    if wanted.subject is not None:
        statement = statement.where(Audit.subject == wanted.subject)
    if wanted.user is not None:
        statement = statement.where(Audit.user_id == wanted.user)
    if wanted.since is not None:
        statement = statement.where(Audit.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(Audit.at < wanted.until)
    if after is not None:
        statement = statement.where(Audit.id < after)
    return [(row, name) for row, name in session.execute(statement.order_by(Audit.id.desc()).limit(limit + 1))]


@api.get("/audit")
def list_audit(
    _: MayRunPlace,
    session: SessionDep,
    paging: Paging,
    wanted: Annotated[Wanted, Depends(wanted_of_program)],
) -> list[DeedAnswer]:
    """List what was done and by whom, newest first. Judgments are not in it; they are their own record."""
    rows = paging.cut(deeds_page(session, wanted, after=paging.after, limit=paging.limit), key=lambda row: row[0].id)
    return [
        DeedAnswer(
            id=row.id,
            at=row.at,
            user=row.user_id,
            user_name=name,
            action=row.action,
            subject=row.subject,
            words=told(row, name).words,
            detail=row.detail,
        )
        for row, name in rows
    ]


@router.get("/audit")
def audit(
    request: Request,
    session: SessionDep,
    person: Admin,
    wanted: Annotated[Wanted, Depends(wanted_of_page)],
    after: After = None,
    limit: Limit = 100,
) -> Response:
    page = cut(deeds_page(session, wanted, after=after, limit=limit), limit, key=lambda row: row[0].id)
    asked = {"action": wanted.action or "", "subject": wanted.subject or "", "after": page.next_after}
    shown = AuditPage(
        person=person,
        deeds=[(row, told(row, name)) for row, name in page.rows],
        wanted=wanted,
        earlier=urlencode(asked) if page.next_after is not None else None,
    )
    return render(request, "audit.html", shown)
