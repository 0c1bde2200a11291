"""The statements of the queue: claim a turn, make a repeat, renew, give back, take back.

They are SQL as text for `db.fetch` because their form is the point: each is one round trip and one plan. A part that a
claim does not need is not run: a common table expression is read only as far as somebody asks for it.

`OFFSET 0` keeps the planner to the plan that stays cheap whatever its statistics say: open turns from their own index
instead of a walk through all turns for one of them, and one check per item instead of a join over all of them.

An item without slots (`wanted` is 0) is gold or a repeat. Whoever hands out an item holds its row until the commit, for
gold `FOR SHARE`, so that a hundred people get it at once and nobody makes it ordinary meanwhile. Slots are given back
by an expression and not by a condition: a condition would be tested on the row as it was before waiting for it.
"""

# ruff: noqa: S608 -- what is put together here are constants of this file

from typing import LiteralString

# A person's place in the queue is looked for among this many of their newest judgments …
_LOOK_BACK = "100"
# … and a repeat is drawn among this many, leaving the newest ones out.
_AMONG = "200"
_THE_LAST = "10"

LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashint8(%(project_id)s), hashint8(%(person_id)s))"

_FREE = "project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside AND reserved_for IS NULL"
_NEW_TO_THEM = """NOT EXISTS (
                SELECT FROM assignment
                WHERE item_id = item.id AND user_id = %(person_id)s AND state IN ('open', 'done') OFFSET 0)"""
_TEXTS = "(SELECT json_object_agg(id, text) FROM response WHERE id = ANY (turn.shown_order)) AS texts"

_MINE = """UPDATE assignment SET expires_at = rules.expires_at FROM rules
        WHERE state = 'open' AND id = (
            SELECT open.id FROM (
                SELECT id, expires_at FROM assignment
                WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND state = 'open' OFFSET 0) AS open
            ORDER BY open.expires_at DESC, open.id LIMIT 1)
        RETURNING id, item_id, shown_order, assignment.expires_at, reason"""
_TAKEN = """INSERT INTO assignment (project_id, item_id, user_id, state, reason, seed, shown_order, expires_at)
        SELECT %(project_id)s, pick.id, %(person_id)s, 'open', pick.reason, %(seed)s,
            ARRAY(SELECT id FROM unnest(pick.response_ids) AS id ORDER BY uuid_hash_extended(id, %(seed)s)),
            rules.expires_at
        FROM pick, rules
        ON CONFLICT (item_id, user_id) DO UPDATE
            SET state = 'open', reason = excluded.reason, expires_at = excluded.expires_at
            WHERE assignment.state IN ('expired', 'released')
        RETURNING id, item_id, shown_order, expires_at, reason
    ), slot AS (
        UPDATE item SET open_slots = open_slots - 1 FROM taken WHERE item.id = taken.item_id AND wanted > 0
    )"""
_SHOWN = f"""SELECT turn.id AS assignment_id, turn.item_id, turn.shown_order, turn.expires_at, turn.reason,
        prompt.messages AS prompt, {_TEXTS}"""

# For the plain project, which most are: random order, no gold, nothing reserved for this person, no repeat due by the lot, and
# no turn that they have already. Starting the whole claim's plan takes longer than running this one. Without a row, the
# whole claim has its say.
QUICK_CLAIM: LiteralString = f"""
    WITH rules AS (
        SELECT now() + lease_minutes * interval '1 minute' AS expires_at
        FROM project WHERE id = %(project_id)s AND item_order = 'random' AND %(repeat)s >= repeat_share
        AND NOT EXISTS (
            SELECT FROM assignment
            WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND state = 'open' OFFSET 0)
        AND NOT EXISTS (SELECT FROM item WHERE project_id = %(project_id)s AND gold IS NOT NULL OFFSET 0)
        AND NOT EXISTS (
            SELECT FROM item WHERE project_id = %(project_id)s AND reserved_for = %(person_id)s
            AND open_slots > 0 AND NOT set_aside OFFSET 0)
    ), pick AS (
        SELECT free.id, free.prompt_id, free.response_ids,
            CASE WHEN free.priority < 0 THEN 'urgent' ELSE 'random' END AS reason
        FROM rules,
        (VALUES (CAST('-infinity' AS float8), CAST(0 AS float8)), (%(start)s, 'infinity'), (0, %(start)s))
            AS stretch (low, high),
        LATERAL (
            SELECT id, prompt_id, response_ids, priority FROM item
            WHERE {_FREE} AND priority >= low AND priority < high AND {_NEW_TO_THEM}
            ORDER BY priority, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ) AS free
        LIMIT 1
    ), taken AS (
        {_TAKEN}
    {_SHOWN}
    FROM taken AS turn, pick JOIN prompt ON prompt.id = pick.prompt_id
"""

CLAIM: LiteralString = f"""
    WITH rules AS (
        SELECT now() + lease_minutes * interval '1 minute' AS expires_at, item_order, gold_share, repeat_share
        FROM project WHERE id = %(project_id)s
    ), mine AS (
        {_MINE}
    ), place AS (
        SELECT item.priority, item.created_at, item.id
        FROM (
            SELECT id, item_id, assignment_id FROM judgment
            WHERE project_id = %(project_id)s AND user_id = %(person_id)s
            AND (SELECT item_order FROM rules) <> 'random'
            ORDER BY id DESC LIMIT {_LOOK_BACK}) AS said,
        LATERAL (
            SELECT FROM assignment
            WHERE id = said.assignment_id AND reason = (SELECT item_order FROM rules) OFFSET 0) AS turn,
        LATERAL (SELECT priority, created_at, id FROM item WHERE id = said.item_id OFFSET 0) AS item
        ORDER BY said.id DESC LIMIT 1
    ), begin AS (
        SELECT CASE item_order WHEN 'random' THEN %(start)s ELSE coalesce((SELECT priority FROM place), 0) END AS priority,
            coalesce((SELECT created_at FROM place), '-infinity') AS created_at,
            CASE item_order WHEN 'random' THEN 0 ELSE coalesce((SELECT id FROM place), 0) END AS id
        FROM rules
    ), ordinary AS (
        SELECT free.* FROM (
            SELECT CAST('-infinity' AS float8) AS low, CAST(0 AS int8) AS low_id, CAST(0 AS float8) AS high, 0 AS high_id
            UNION ALL
            SELECT priority, id, 'infinity', 0 FROM begin WHERE (SELECT item_order FROM rules) <> 'imported'
            UNION ALL
            SELECT 0, 0, priority, id FROM begin WHERE (SELECT item_order FROM rules) <> 'imported'
        ) AS stretch,
        LATERAL (
            SELECT id, response_ids, priority FROM item
            WHERE {_FREE} AND (priority, id) > (low, low_id) AND (priority, id) <= (high, high_id)
            AND {_NEW_TO_THEM}
            ORDER BY priority, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ) AS free
        UNION ALL
        SELECT free.* FROM (
            SELECT created_at AS low, id AS low_id, CAST('infinity' AS timestamptz) AS high, CAST(0 AS int8) AS high_id
            FROM begin WHERE (SELECT item_order FROM rules) = 'imported'
            UNION ALL
            SELECT '-infinity', 0, created_at, id FROM begin WHERE (SELECT item_order FROM rules) = 'imported'
        ) AS stretch,
        LATERAL (
            SELECT id, response_ids, priority FROM item
            WHERE {_FREE} AND (created_at, id) > (low, low_id) AND (created_at, id) <= (high, high_id)
            AND {_NEW_TO_THEM}
            ORDER BY created_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ) AS free
        LIMIT 1
    ), training AS (
        SELECT item.id, item.response_ids FROM (
            SELECT id FROM (
                SELECT id FROM item
                WHERE project_id = %(project_id)s AND gold IS NOT NULL AND is_training AND NOT set_aside OFFSET 0) AS item
            WHERE {_NEW_TO_THEM}
            ORDER BY id LIMIT 1) AS next
        JOIN item ON item.id = next.id WHERE wanted = 0 FOR SHARE OF item
    ), reserved AS (
        SELECT id, response_ids FROM item
        WHERE project_id = %(project_id)s AND reserved_for = %(person_id)s AND open_slots > 0 AND NOT set_aside
        AND {_NEW_TO_THEM}
        ORDER BY priority, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ), hidden AS (
        SELECT item.id, item.response_ids FROM (
            SELECT id FROM (
                SELECT id FROM item
                WHERE project_id = %(project_id)s AND gold IS NOT NULL AND NOT is_training AND NOT set_aside
                AND %(gold)s < (SELECT gold_share FROM rules) AND %(repeat)s >= (SELECT repeat_share FROM rules)
                AND EXISTS (SELECT FROM ordinary WHERE priority >= 0)
                ORDER BY hashint8extended(id, %(seed)s) OFFSET 0) AS item
            WHERE {_NEW_TO_THEM} LIMIT 1) AS next
        JOIN item ON item.id = next.id WHERE wanted = 0 FOR SHARE OF item SKIP LOCKED
    ), pick AS (
        SELECT first.* FROM (
            SELECT id, response_ids, 'training' AS reason FROM training
            UNION ALL
            SELECT id, response_ids, 'reserved' FROM reserved
            UNION ALL
            SELECT id, response_ids, 'gold' FROM hidden
            UNION ALL
            SELECT id, response_ids, CASE WHEN priority < 0 THEN 'urgent' ELSE (SELECT item_order FROM rules) END
            FROM ordinary WHERE priority < 0 OR %(repeat)s >= (SELECT repeat_share FROM rules)
        ) AS first
        WHERE NOT EXISTS (SELECT FROM mine)
        LIMIT 1
    ), taken AS (
        {_TAKEN}
    {_SHOWN}
    FROM (SELECT * FROM mine UNION ALL SELECT * FROM taken) AS turn
    JOIN item ON item.id = turn.item_id JOIN prompt ON prompt.id = item.prompt_id
"""

# The same original makes the same item again, which is how a repeat that somebody let expire comes back to them. Two
# responses change sides; of more, the order is drawn again and turned round should it be the first one's.
REPEAT: LiteralString = f"""
    WITH rules AS (
        SELECT now() + lease_minutes * interval '1 minute' AS expires_at FROM project
        WHERE id = %(project_id)s AND %(repeat)s < repeat_share AND EXISTS (SELECT FROM item WHERE {_FREE} OFFSET 0)
    ), original AS (
        SELECT item.id, item.prompt_id, item.response_ids, item.priority, first.shown_order
        FROM (
            SELECT id, item_id, assignment_id FROM judgment
            WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND is_current AND outcome <> 'skip'
            AND EXISTS (SELECT FROM rules)
            ORDER BY id DESC OFFSET {_THE_LAST} LIMIT {_AMONG}) AS said
        JOIN item ON item.id = said.item_id JOIN assignment AS first ON first.id = said.assignment_id
        WHERE wanted > 0 AND NOT set_aside AND NOT EXISTS (
            SELECT FROM item AS again JOIN assignment ON assignment.item_id = again.id
            WHERE again.repeat_of = item.id AND again.reserved_for = %(person_id)s
            AND (again.set_aside OR state IN ('open', 'done')) OFFSET 0)
        ORDER BY hashint8extended(said.id, %(seed)s) LIMIT 1
    ), made AS (
        INSERT INTO item (
            project_id, prompt_id, response_ids, content_hash, wanted, open_slots, priority, reserved_for, repeat_of)
        SELECT %(project_id)s, prompt_id, response_ids,
            sha256(convert_to('repeat of ' || id || ' for ' || %(person_id)s, 'UTF8')), 0, 0, priority, %(person_id)s, id
        FROM original
        ON CONFLICT (project_id, content_hash) DO UPDATE SET repeat_of = excluded.repeat_of
        RETURNING id
    ), drawn AS (
        SELECT shown_order,
            ARRAY(SELECT id FROM unnest(response_ids) AS id ORDER BY uuid_hash_extended(id, %(seed)s)) AS afresh,
            ARRAY(SELECT id FROM unnest(shown_order) WITH ORDINALITY AS shown (id, place) ORDER BY place DESC) AS turned
        FROM original
    ), turn AS (
        INSERT INTO assignment (project_id, item_id, user_id, state, reason, seed, shown_order, expires_at)
        SELECT %(project_id)s, made.id, %(person_id)s, 'open', 'repeat', %(seed)s,
            CASE WHEN cardinality(afresh) = 2 OR afresh = shown_order THEN turned ELSE afresh END, rules.expires_at
        FROM made, drawn, rules
        ON CONFLICT (item_id, user_id) DO UPDATE SET state = 'open', expires_at = excluded.expires_at
            WHERE assignment.state IN ('expired', 'released')
        RETURNING id, item_id, shown_order, expires_at, reason
    )
    {_SHOWN}
    FROM turn, original JOIN prompt ON prompt.id = original.prompt_id
"""

# Whose turn it is, under the lock that claiming and judging take.
LOCK_TURN: LiteralString = """
    SELECT assignment.state, pg_advisory_xact_lock(hashint8(assignment.project_id), hashint8(assignment.user_id)) AS lock
    FROM assignment JOIN "user" ON "user".id = assignment.user_id
    WHERE assignment.id = %(assignment_id)s AND assignment.user_id = %(person_id)s AND (role = 'admin' OR EXISTS (
        SELECT FROM membership WHERE membership.user_id = "user".id AND membership.project_id = assignment.project_id))
"""

RENEW: LiteralString = """
    WITH turn AS (
        SELECT assignment.id, item_id, state, assignment.project_id,
            now() + lease_minutes * interval '1 minute' AS expires_at
        FROM assignment JOIN project ON project.id = assignment.project_id WHERE assignment.id = %(assignment_id)s
    ), kept AS (
        UPDATE assignment SET expires_at = turn.expires_at FROM turn
        WHERE assignment.id = turn.id AND assignment.state = 'open'
        RETURNING assignment.expires_at
    ), slot AS (
        UPDATE item SET open_slots = open_slots - CASE WHEN wanted > 0 THEN 1 ELSE 0 END FROM turn
        WHERE item.id = turn.item_id AND turn.state IN ('expired', 'released')
        AND (open_slots > 0 OR wanted = 0) AND NOT set_aside
        AND (reserved_for IS NULL OR reserved_for = %(person_id)s)
        AND NOT EXISTS (
            SELECT FROM assignment AS other
            WHERE other.project_id = turn.project_id AND other.user_id = %(person_id)s AND other.state = 'open')
        RETURNING turn.id, turn.expires_at
    ), again AS (
        UPDATE assignment SET state = 'open', expires_at = slot.expires_at FROM slot WHERE assignment.id = slot.id
        RETURNING assignment.expires_at
    )
    SELECT expires_at FROM kept UNION ALL SELECT expires_at FROM again
"""

RELEASE: LiteralString = """
    WITH released AS (
        UPDATE assignment SET state = 'released'
        WHERE id = %(assignment_id)s AND user_id = %(person_id)s AND state = 'open'
        RETURNING item_id
    )
    UPDATE item SET open_slots = open_slots + CASE WHEN wanted > 0 THEN 1 ELSE 0 END
    FROM released WHERE item.id = released.item_id RETURNING item.id
"""

# Turns whose item somebody holds at this moment are left for the next sweep: an import may hold thousands of items for
# minutes, in another order, and a sweep that waited for it would hold up all others, or wait in a circle.
EXPIRE: LiteralString = """
    WITH due AS (
        SELECT assignment.id FROM assignment JOIN item ON item.id = item_id
        WHERE state = 'open' AND expires_at <= now()
        ORDER BY expires_at LIMIT %(at_once)s FOR NO KEY UPDATE SKIP LOCKED
    ), expired AS (
        UPDATE assignment SET state = 'expired' FROM due WHERE assignment.id = due.id
        RETURNING item_id
    ), slot AS (
        UPDATE item SET open_slots = open_slots + CASE WHEN wanted > 0 THEN slots ELSE 0 END
        FROM (SELECT item_id, count(*) AS slots FROM expired GROUP BY item_id) AS given_back
        WHERE item.id = given_back.item_id
    )
    SELECT item_id FROM expired
"""
