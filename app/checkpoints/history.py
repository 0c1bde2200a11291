"""Questions about what was done to the versions of a name: aliases moved and taken away, versions deleted."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.checkpoints.aliases import MOVED, REMOVED
from app.checkpoints.deletion import DELETED
from app.deeds import Deed, told
from app.models import Audit, User

SHOWN = 20


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
    return [told(audit, who) for audit, who in rows]
