"""Whose webhooks are still theirs: what somebody has made reaches no further than they do."""

from typing import LiteralString

from sqlalchemy.orm import Session

from app.db import fetch
from app.webhooks.trail import trace

_ORPHANS: LiteralString = """
    UPDATE webhook SET state = 'off', off_reason = 'owner' WHERE state = 'active' AND NOT EXISTS (
        SELECT FROM "user" WHERE "user".id = owner_id AND disabled_at IS NULL AND (role = 'admin' OR EXISTS (
            SELECT FROM membership WHERE membership.user_id = owner_id AND membership.project_id = webhook.project_id
            AND membership.role = 'manager')))
    RETURNING id
"""


def switch_off_orphans(session: Session) -> int:
    """Switch off those whose owner is shut out or manages the project no more; says how many.

    Events go on waiting in them, for whoever may switch them on again and so becomes their owner.
    """
    found = fetch(session, _ORPHANS, {})
    for row in found:
        trace(session, "webhook.switched_off", row["id"], reason="owner")
    return len(found)
