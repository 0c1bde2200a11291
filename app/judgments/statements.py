"""The statements that store and take back a judgment.

They are SQL as text for `db.fetch`, since this is what a person waits for after each key they press: one statement
looks, one writes the judgment, its tuples, the assignment's state and the item's slots in one round trip.

Looking takes the lock that a claim takes, so that nothing else of the same person in this project comes in between. A
statement that had to wait for that lock saw the rows as they were before; so the writing ones check again, in their
first part, what they rely on, and return no row if it no longer holds.
"""

# ruff: noqa: S608 -- what is put together here are constants of this file

from typing import LiteralString

_MAY_SEE = """(%(is_admin)s OR EXISTS (
        SELECT FROM membership WHERE membership.user_id = %(person_id)s AND membership.project_id = assignment.project_id
    ))"""
_LOCK = "pg_advisory_xact_lock(hashint8(assignment.project_id), hashint8(assignment.user_id)) AS lock"
# Whoever judges is not told that a known answer or a repeat does not count: they would know it for one.
_COUNTED = """counted OR (outcome <> 'skip' AND NOT withdrawn
            AND EXISTS (SELECT FROM item WHERE item.id = item_id AND wanted = 0))"""
_SHOWN = f"""json_build_object(
        'id', id, 'assignment', assignment_id, 'item', item_id, 'outcome', outcome, 'tiers', tiers,
        'dimensions', dimensions, 'strength', strength, 'comment', comment, 'skip_reason', skip_reason,
        'duration_ms', duration_ms, 'revision', revision, 'counted', {_COUNTED},
        'withdrawn', withdrawn, 'created_at', created_at)"""
_BEFORE = f"""(
        SELECT {_SHOWN} FROM judgment WHERE judgment.assignment_id = assignment.id AND client_key = %(key)s
    ) AS before"""

LOOK: LiteralString = f"""
    SELECT assignment.project_id, item_id, assignment.state, assignment.reason, shown_order, prompt_id, response_ids, kind,
        outcomes, dimensions, comments, comment_min_length, {_LOCK}, {_BEFORE}
    FROM assignment JOIN item ON item.id = item_id JOIN project ON project.id = assignment.project_id
    WHERE assignment.id = %(assignment_id)s AND assignment.user_id = %(person_id)s AND {_MAY_SEE}
"""

# An item that wants no judgments (gold, a repeat) has no slots: what is said about it is stored, not counted, and makes no
# tuples here, where they are made, so that nobody who reads tuples or counted judgments has to remember to leave it out.
_DONE = """done AS (
        UPDATE assignment SET state = 'done' WHERE id = %(assignment_id)s AND state = %(state)s RETURNING id
    ), about AS (
        SELECT done.id, wanted > 0 AS is_ordinary FROM done, item WHERE item.id = %(item_id)s
    )"""
_STORED = """stored AS (
        INSERT INTO judgment (
            project_id, assignment_id, item_id, user_id, judge_kind, outcome, tiers, dimensions, strength, comment,
            skip_reason, duration_ms, client_key, revision, counted)
        SELECT %(project_id)s, about.id, %(item_id)s, %(person_id)s, 'human', CAST(%(outcome)s AS text), CAST(%(tiers)s AS jsonb),
            CAST(%(dimensions)s AS jsonb), CAST(%(strength)s AS bigint), %(comment)s, %(skip_reason)s,
            CAST(%(duration_ms)s AS bigint), %(key)s,
            1 + (SELECT coalesce(max(revision), 0) FROM judgment WHERE assignment_id = %(assignment_id)s), {counted}
        FROM about
        RETURNING *
    )"""
_DERIVED = """derived AS (
        INSERT INTO preference (project_id, judgment_id, item_id, prompt_id, chosen_id, rejected_id, margin)
        SELECT %(project_id)s, stored.id, %(item_id)s, %(prompt_id)s, chosen, rejected, CAST(%(strength)s AS bigint)
        FROM stored, about, unnest(CAST(%(chosen)s AS uuid[]), CAST(%(rejected)s AS uuid[])) AS pair (chosen, rejected)
        WHERE is_ordinary
    )"""

# A judgment in time, which keeps the slot that its turn has held: nearly all are.
STORE: LiteralString = f"""
    WITH {_DONE}, {_STORED.format(counted="is_ordinary")}, {_DERIVED}
    SELECT {_SHOWN} AS judgment FROM stored
"""

# A skip, which gives its slot back (`slots` is 1), and late work, which takes one if it can (−1). The slot of an item that is
# reserved is for nobody else, and late work of others does not take it.
STORE_AND_MOVE_SLOT: LiteralString = f"""
    WITH {_DONE}, slot AS (
        UPDATE item SET open_slots = open_slots + %(slots)s FROM done
        WHERE item.id = %(item_id)s AND %(slots)s <> 0 AND open_slots + %(slots)s BETWEEN 0 AND wanted
        AND (%(slots)s > 0 OR reserved_for IS NULL OR reserved_for = %(person_id)s)
        RETURNING item.id
    ), {_STORED.format(counted="CAST(%(outcome)s AS text) <> 'skip' AND is_ordinary AND (%(slots)s = 0 OR EXISTS (SELECT FROM slot))")},
    {_DERIVED}
    SELECT {_SHOWN} AS judgment FROM stored
"""

LOOK_BACK: LiteralString = f"""
    SELECT assignment.project_id, assignment.reason, {_LOCK}, {_BEFORE}
    FROM judgment AS old JOIN assignment ON assignment.id = old.assignment_id
    WHERE old.id = %(judgment_id)s AND old.user_id = %(person_id)s AND {_MAY_SEE}
"""

WITHDRAW: LiteralString = f"""
    WITH old AS (
        UPDATE judgment SET is_current = false WHERE id = %(judgment_id)s AND is_current RETURNING *
    ), derived AS (
        UPDATE preference SET is_current = false FROM old WHERE preference.judgment_id = old.id
    ), slot AS (
        UPDATE item SET open_slots = open_slots - 1 FROM old
        WHERE item.id = old.item_id AND NOT old.counted AND open_slots > 0
        AND (reserved_for IS NULL OR reserved_for = old.user_id)
        RETURNING item.id
    ), turn AS (
        UPDATE assignment SET expires_at = now() + lease_minutes * interval '1 minute',
            state = CASE WHEN old.counted OR item.wanted = 0 OR EXISTS (SELECT FROM slot) THEN 'open' ELSE 'expired' END
        FROM old JOIN project ON project.id = old.project_id JOIN item ON item.id = old.item_id
        WHERE assignment.id = old.assignment_id
    ), taken_back AS (
        INSERT INTO judgment (
            project_id, assignment_id, item_id, user_id, judge_kind, outcome, tiers, client_key, revision,
            is_current, withdrawn, counted)
        SELECT project_id, assignment_id, item_id, user_id, judge_kind, outcome, '{{}}', %(key)s, revision + 1,
            false, true, false
        FROM old
        RETURNING *
    )
    SELECT {_SHOWN} AS judgment FROM taken_back
"""
