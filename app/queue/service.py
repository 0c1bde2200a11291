"""Verbs on turns: take the next one, give it back, take back what was left lying.

A turn is a lease: claiming takes one of the item's open slots, so that no item is judged more often than wanted however
many people ask at once. For every item, at any time:

    open slots + open assignments + counted judgments = judgments wanted

Claiming is one function for all who ask. It holds no lock while a person thinks, and each of its guards is there for a
reason that is tested:

- The lock on (project, person) makes two tabs of one person see the same turn, instead of taking two. It is a statement
  of its own, since a statement that waits sees the rows as they were before it waited.
- `SKIP LOCKED` lets 32 people claim at once without waiting for each other; `NO KEY` keeps clear of the locks that
  foreign keys take while somebody judges the same item.
- The walk along the index `ix_item_queue` starts at a random place: people do not crowd at its head, and nobody walks
  again and again past the many items they have judged or past entries that a long export keeps alive, so a claim costs
  the same with a thousand items and with a million. Urgent items (priority below 0) come first, in their order.
- The slot is taken from the row that the assignment's insertion returns: no assignment, no slot lost.
- Of two turns of one person, which only an undo makes, the one taken up last comes first: what was undone is there again.
- An item that somebody let expire comes back to them as the same assignment, in the same order.

The statements are SQL as text because their form is the point: each is one round trip and one plan.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import fetch
from app.errors import NotFound

SWEEP_AT_ONCE = 1000
SEED_BITS = 63

_LOCK = "SELECT pg_advisory_xact_lock(hashint8(%(project_id)s), hashint8(%(person_id)s))"

# `OFFSET 0` keeps the planner to the plan that stays cheap whatever its statistics say: open turns from their own index
# instead of a walk through all turns for one of them, and one check per item instead of a join over all of them.
_CLAIM = """
    WITH lease AS (
        SELECT now() + lease_minutes * interval '1 minute' AS expires_at FROM project WHERE id = %(project_id)s
    ), mine AS (
        UPDATE assignment SET expires_at = lease.expires_at FROM lease
        WHERE state = 'open' AND id = (
            SELECT open.id FROM (
                SELECT id, expires_at FROM assignment
                WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND state = 'open' OFFSET 0) AS open
            ORDER BY open.expires_at DESC, open.id LIMIT 1)
        RETURNING id, item_id, shown_order, assignment.expires_at
    ), pick AS (
        SELECT free.id, free.response_ids
        FROM (VALUES (CAST('-infinity' AS float8), CAST(0 AS float8)), (%(start)s, 'infinity'), (0, %(start)s))
            AS stretch (low, high),
        LATERAL (
            SELECT id, response_ids FROM item
            WHERE project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside AND reserved_for IS NULL
            AND priority >= low AND priority < high
            AND NOT EXISTS (
                SELECT FROM assignment
                WHERE item_id = item.id AND user_id = %(person_id)s AND state IN ('open', 'done') OFFSET 0)
            ORDER BY priority, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ) AS free
        WHERE NOT EXISTS (SELECT FROM mine)
        LIMIT 1
    ), taken AS (
        INSERT INTO assignment (project_id, item_id, user_id, state, seed, shown_order, expires_at)
        SELECT %(project_id)s, pick.id, %(person_id)s, 'open', %(seed)s,
            ARRAY(SELECT id FROM unnest(pick.response_ids) AS id ORDER BY uuid_hash_extended(id, %(seed)s)),
            lease.expires_at
        FROM pick, lease
        ON CONFLICT (item_id, user_id) DO UPDATE SET state = 'open', expires_at = excluded.expires_at
            WHERE assignment.state IN ('expired', 'released')
        RETURNING id, item_id, shown_order, expires_at
    ), slot AS (
        UPDATE item SET open_slots = open_slots - 1 FROM taken WHERE item.id = taken.item_id
    )
    SELECT turn.id AS assignment_id, turn.item_id, turn.shown_order, turn.expires_at, prompt.messages AS prompt,
        ARRAY(SELECT response.text FROM unnest(turn.shown_order) WITH ORDINALITY AS shown (id, place)
            JOIN response ON response.id = shown.id ORDER BY shown.place) AS texts
    FROM (SELECT * FROM mine UNION ALL SELECT * FROM taken) AS turn
    JOIN item ON item.id = turn.item_id JOIN prompt ON prompt.id = item.prompt_id
"""

_RELEASE = """
    WITH released AS (
        UPDATE assignment SET state = 'released'
        WHERE id = %(assignment_id)s AND user_id = %(person_id)s AND state = 'open'
        RETURNING item_id
    )
    UPDATE item SET open_slots = open_slots + 1 FROM released WHERE item.id = released.item_id RETURNING item.id
"""

# The items are locked in one order, so that two sweeps cannot wait for each other.
_EXPIRE = """
    WITH expired AS (
        UPDATE assignment SET state = 'expired' WHERE id IN (
            SELECT id FROM assignment WHERE state = 'open' AND expires_at <= now()
            ORDER BY expires_at LIMIT %(at_once)s FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING item_id
    ), given_back AS (
        SELECT item_id, count(*) AS slots FROM expired GROUP BY item_id
    ), locked AS (
        SELECT item.id, slots FROM item JOIN given_back ON item.id = item_id
        ORDER BY item.id FOR NO KEY UPDATE OF item
    ), slot AS (
        UPDATE item SET open_slots = open_slots + slots FROM locked WHERE item.id = locked.id
    )
    SELECT item_id FROM expired
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn at one item: what to show, in which order, and until when it is theirs.

    `responses` are (id, text); which model wrote them stays on the server until they are judged.
    """

    assignment_id: int
    item_id: int
    prompt: list[dict[str, str]]
    responses: list[tuple[str, str]]
    expires_at: datetime


def claim(session: Session, person_id: int, project_id: int, *, is_locked: bool = False) -> Turn | None:
    """The turn this person has in the project, its lease renewed, or else a new one; None when nothing is left.

    The caller has seen to it that the person may see the project. Judging has taken the lock already (`is_locked`).
    """
    who = {"project_id": project_id, "person_id": person_id}
    if not is_locked:
        fetch(session, _LOCK, who)
    draw = random.SystemRandom()
    turns = fetch(session, _CLAIM, who | {"start": draw.random(), "seed": draw.getrandbits(SEED_BITS)})
    return _turn(**turns[0]) if turns else None


def _turn(*, shown_order: list[UUID], texts: list[str], **rest: Any) -> Turn:
    responses = [(str(key), words) for key, words in zip(shown_order, texts, strict=True)]
    return Turn(responses=responses, **rest)


def release(session: Session, person_id: int, assignment_id: int) -> None:
    """Give a turn back before its lease runs out, for somebody else to take."""
    if not fetch(session, _RELEASE, {"assignment_id": assignment_id, "person_id": person_id}):
        raise NotFound("there is no open turn of yours with this number")


def expire(session: Session) -> int:
    """Take back the slots of leases that ran out; returns how many. For the sweep, which calls until it is 0."""
    return len(fetch(session, _EXPIRE, {"at_once": SWEEP_AT_ONCE}))
