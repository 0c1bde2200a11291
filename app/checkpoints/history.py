"""What was done to the versions of a name, in words: aliases moved and taken away, versions deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.checkpoints.aliases import MOVED, REMOVED
from app.checkpoints.deletion import DELETED
from app.language import gettext as _
from app.models import Audit, User

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Deed:
    at: datetime
    who: str
    words: str


def deeds(session: Session, name: str) -> Sequence[Deed]:
    """The newest first."""
    about = (Audit.subject == name, Audit.action.in_((MOVED, REMOVED, DELETED)))
    rows = session.execute(
        select(Audit, User.name)
        .outerjoin(User, User.id == Audit.user_id)
        .where(*about)
        .order_by(Audit.id.desc())
        .limit(SHOWN)
    )
    return [Deed(audit.at, who or _("the command line"), _words(audit.action, audit.detail)) for audit, who in rows]


def _words(action: str, detail: Mapping[str, Any]) -> str:
    if action == DELETED:
        return _("deleted v%(version)s", version=detail["version"])
    if action == REMOVED:
        return _("took “%(alias)s” away from v%(version)s", alias=detail["alias"], version=detail["from"])
    if detail["from"] is None:
        return _("let “%(alias)s” stand for v%(version)s", alias=detail["alias"], version=detail["to"])
    return _(
        "moved “%(alias)s” from v%(before)s to v%(after)s",
        alias=detail["alias"],
        before=detail["from"],
        after=detail["to"],
    )
