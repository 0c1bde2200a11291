"""What was judged and what is wanted, added up now and then, so that whoever watches a large project asks a few rows.

Judgments are append-only: each counts one, and the one that it replaces or takes back counts one less. What somebody judges in
a project becomes visible in the order of its ids, by the lock that judging takes (`judgments/statements.py`). So a sum for
each person with the id of its newest judgment says exactly what is in it, and reading adds whatever is newer to it: what is read
is right at any time, however long ago it was added up. Nothing of this is on the way of a key press.

A file's judgments come without that lock. While one is being stored nothing is added up (`keep_still`), and neither while an
item that was judged becomes gold or ordinary again: triggers (see the migration) have those who judged it added up anew.
How much all items of a project want is kept in one row, which triggers delete when it changes.
"""

# ruff: noqa: S608 -- what is put together here are constants of this file

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db import fetch

LOCK = 7210563
"""Held together by all who change what may have been added up, and alone by whoever adds up; the triggers know it too."""
WORTH_IT = 1000
"""Judgments, in all projects together: reading so many more takes some milliseconds."""
MANY = 20_000
"""So many more are read in one pass through all judgments. It happens before they were added up for the first time."""

_JUDGES_OF_ALL: LiteralString = """
    judge (project_id, user_id) AS (
        (SELECT project_id, user_id FROM judgment ORDER BY project_id, user_id LIMIT 1)
        UNION ALL
        SELECT following.* FROM judge CROSS JOIN LATERAL (
            SELECT project_id, user_id FROM judgment
            WHERE (project_id, user_id) > (judge.project_id, judge.user_id) ORDER BY project_id, user_id LIMIT 1) AS following
    )"""
_JUDGES: LiteralString = """
    judge (project_id, user_id) AS (
        SELECT one.project_id, first.user_id FROM unnest(%(project_ids)s::bigint[]) AS one (project_id) CROSS JOIN LATERAL (
            SELECT user_id FROM judgment WHERE project_id = one.project_id ORDER BY user_id LIMIT 1) AS first
        UNION ALL
        SELECT judge.project_id, following.user_id FROM judge CROSS JOIN LATERAL (
            SELECT user_id FROM judgment
            WHERE project_id = judge.project_id AND user_id > judge.user_id ORDER BY user_id LIMIT 1) AS following
    )"""
# One row for each judgment that is newer than what was added up, and one for what it replaces or takes back. Where few are newer,
# `{offset}` keeps the planner, which always takes a third of all for newer, from reading all.
_NEWER: LiteralString = """
    said AS {kept} (
        SELECT judge.*, one.*, judge_kind = 'human' AS by_a_person
        FROM judge LEFT JOIN judged USING (project_id, user_id)
        CROSS JOIN LATERAL (
            SELECT id, assignment_id, revision, withdrawn, judge_kind, outcome, counted, created_at FROM judgment
            WHERE project_id = judge.project_id AND user_id = judge.user_id AND id > coalesce(judged.newest, 0) {offset}
        ) AS one
    ), newer AS (
        SELECT project_id, user_id, id, by_a_person, created_at AS seen, 1 AS one, outcome, counted, created_at AS at
        FROM said WHERE NOT withdrawn
        UNION ALL
        SELECT said.project_id, user_id, id, by_a_person, said.created_at, -1, old.* FROM said CROSS JOIN LATERAL (
            SELECT outcome, counted, created_at FROM judgment
            WHERE assignment_id = said.assignment_id AND revision = said.revision - 1 AND NOT withdrawn OFFSET 0
        ) AS old WHERE said.revision > 1
    )"""
_OF_FEW: LiteralString = _NEWER.format(kept="MATERIALIZED", offset="OFFSET 0")
_OF_MANY: LiteralString = _NEWER.format(kept="NOT MATERIALIZED", offset="")
_SUMS: LiteralString = """
    coalesce(sum(one) FILTER (WHERE by_a_person), 0) AS turns,
    coalesce(sum(one) FILTER (WHERE by_a_person AND outcome = 'tie'), 0) AS ties,
    coalesce(sum(one) FILTER (WHERE by_a_person AND outcome = 'skip'), 0) AS skips,
    coalesce(sum(one) FILTER (WHERE counted), 0) AS counted, max(seen) AS last"""
_HOURS: LiteralString = """
    sum(one) AS turns, coalesce(sum(one) FILTER (WHERE outcome = 'skip'), 0) AS skips, min(at) AS first"""

_ADD_UP: LiteralString = f"""
    WITH RECURSIVE {_JUDGES_OF_ALL}, {{newer}}, by_hour AS (
        INSERT INTO judged_hour (project_id, hour, user_id, turns, skips, first)
        SELECT project_id, date_trunc('hour', at), user_id, {_HOURS} FROM newer WHERE by_a_person GROUP BY 1, 2, 3
        ON CONFLICT (project_id, hour, user_id) DO UPDATE SET turns = judged_hour.turns + excluded.turns,
            skips = judged_hour.skips + excluded.skips, first = least(judged_hour.first, excluded.first)
    )
    INSERT INTO judged (project_id, user_id, newest, turns, ties, skips, counted, last)
    SELECT project_id, user_id, max(id), {_SUMS} FROM newer GROUP BY 1, 2
    ON CONFLICT (project_id, user_id) DO UPDATE SET newest = excluded.newest, turns = judged.turns + excluded.turns,
        ties = judged.ties + excluded.ties, skips = judged.skips + excluded.skips,
        counted = judged.counted + excluded.counted, last = greatest(judged.last, excluded.last)
    RETURNING 1
"""
_TOTALS: LiteralString = """
    INSERT INTO item_total (project_id, items, wanted)
    SELECT project.id, count(item.id), coalesce(sum(item.wanted), 0)
    FROM project LEFT JOIN item ON item.project_id = project.id AND item.wanted > 0
    WHERE NOT EXISTS (SELECT FROM item_total WHERE item_total.project_id = project.id)
    GROUP BY project.id
"""
_BEHIND: LiteralString = """
    SELECT coalesce((SELECT max(id) FROM judgment), 0) - coalesce(max(newest), 0) AS judgments FROM judged
"""
_IS_WORTH_IT: LiteralString = """
    SELECT coalesce((SELECT max(id) FROM judgment), 0) - coalesce(max(newest), 0) >= %(worth_it)s
        OR coalesce(bool_or(newest = 0), false) AS judged,
        EXISTS (SELECT FROM project WHERE NOT EXISTS (SELECT FROM item_total WHERE project_id = project.id)) AS totals
    FROM judged
"""

_PEOPLE: LiteralString = f"""
    WITH RECURSIVE {_JUDGES}, {{newer}}, part AS (
        SELECT user_id, turns, ties, skips, counted, last FROM judged WHERE project_id = %(project_id)s
        UNION ALL
        SELECT user_id, {_SUMS} FROM newer GROUP BY user_id
    ), past AS (
        SELECT user_id, sum(turns) AS in_all, sum(ties) AS ties, sum(skips) AS skips, sum(counted) AS counted,
            max(last) AS last
        FROM part GROUP BY user_id
    ), lately AS (
        SELECT user_id, coalesce(sum(n) FILTER (WHERE hour >= date_trunc('day', now())), 0) AS today,
            coalesce(sum(n) FILTER (WHERE hour > now() - %(recent)s * interval '1 hour'), 0) AS recently
        FROM (
            SELECT user_id, hour, turns AS n FROM judged_hour WHERE project_id = %(project_id)s
                AND hour >= least(date_trunc('day', now()), now() - %(recent)s * interval '1 hour')
            UNION ALL
            SELECT user_id, date_trunc('hour', at), one FROM newer WHERE by_a_person
        ) AS part GROUP BY user_id
    )
    SELECT past.*, "user".name, "user".disabled_at IS NOT NULL AS is_disabled, coalesce(today, 0) AS today,
        coalesce(recently, 0) AS recently, typical.ms AS median_ms
    FROM past JOIN "user" ON "user".id = user_id LEFT JOIN lately USING (user_id)
    CROSS JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS ms FROM (
            SELECT duration_ms FROM judgment
            WHERE past.in_all > 0 AND project_id = %(project_id)s AND judgment.user_id = past.user_id AND is_current
            ORDER BY id DESC LIMIT %(median_of)s) AS newest
    ) AS typical
    ORDER BY today DESC, in_all DESC, user_id
"""
_BY_HOUR: LiteralString = f"""
    WITH RECURSIVE {_JUDGES}, {{newer}}, part AS (
        SELECT hour, turns, skips, first FROM judged_hour WHERE project_id = %(project_id)s
        UNION ALL
        SELECT date_trunc('hour', at), {_HOURS} FROM newer WHERE by_a_person GROUP BY 1
    )
    SELECT hour, sum(turns - skips) AS n, min(first) AS first
    FROM part WHERE hour > date_trunc('hour', now()) - %(hours)s * interval '1 hour'
    GROUP BY hour HAVING sum(turns - skips) > 0 ORDER BY hour
"""
_COUNTED: LiteralString = f"""
    WITH RECURSIVE {_JUDGES}, {{newer}}, part AS (
        SELECT project_id, counted FROM judged WHERE project_id = ANY(%(project_ids)s)
        UNION ALL
        SELECT project_id, one FROM newer WHERE counted
    )
    SELECT project_id, sum(counted) AS n FROM part GROUP BY project_id
"""
# Where nothing has been added up, or something has changed since, that project's items are read.
_WANTED: LiteralString = """
    SELECT one.project_id, coalesce(item_total.items, fresh.items) AS items, coalesce(item_total.wanted, fresh.wanted) AS wanted
    FROM unnest(%(project_ids)s::bigint[]) AS one (project_id) LEFT JOIN item_total USING (project_id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS items, coalesce(sum(wanted), 0) AS wanted FROM item
        WHERE item_total.project_id IS NULL AND item.project_id = one.project_id AND wanted > 0
    ) AS fresh
"""
_SET_ASIDE: LiteralString = """
    SELECT project_id, sum(open_slots) AS n FROM item
    WHERE project_id = ANY(%(project_ids)s) AND set_aside AND open_slots > 0 GROUP BY project_id
"""
_LEASED: LiteralString = """
    SELECT count(*) AS leased FROM assignment JOIN item ON item.id = item_id
    WHERE assignment.project_id = %(project_id)s AND state = 'open' AND item.wanted > 0
"""
# The two ways in which an item may be waiting are two indexes of the queue.
_OPEN: LiteralString = """
    SELECT project_id FROM unnest(%(project_ids)s::bigint[]) AS one (project_id)
    WHERE EXISTS (SELECT FROM item WHERE item.project_id = one.project_id
            AND open_slots > 0 AND NOT set_aside AND reserved_for IS NULL)
        OR EXISTS (SELECT FROM item WHERE item.project_id = one.project_id
            AND open_slots > 0 AND NOT set_aside AND reserved_for IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one project: `wanted` and `counted` are judgments, what is set aside wants no more than it has; `is_open` says whether
    anything may still be taken.
    """

    items: int
    wanted: int
    counted: int
    is_open: bool

    def in_tens(self) -> "Progress":
        """What is done rounded down, until it is all done: see `queries.Counts`."""
        return self if self.counted >= self.wanted else replace(self, counted=self.counted // 10 * 10)


def people(session: Session, project_id: int, *, recent_hours: int, median_of: int) -> list[dict[str, Any]]:
    """Whoever has judged, files included: what they said as a person, and how much of it all is `counted`."""
    told = {"recent": recent_hours, "median_of": median_of}
    return fetch(session, _PEOPLE.format(newer=_newer(session)), told | _which(project_id))


def by_hour(session: Session, project_id: int, *, hours: int) -> list[dict[str, Any]]:
    """What people judged in each of the last hours, skips left out."""
    return fetch(session, _BY_HOUR.format(newer=_newer(session)), {"hours": hours} | _which(project_id))


def _newer(session: Session) -> LiteralString:
    return _OF_FEW if fetch(session, _BEHIND, {})[0]["judgments"] < MANY else _OF_MANY


def wanted(session: Session, project_id: int) -> dict[str, int]:
    """`items` and what is `wanted` of them, in judgments, and of that what is `set_aside` and what is `leased`."""
    which = _which(project_id)
    total = fetch(session, _WANTED, which)[0]
    aside = sum(row["n"] for row in fetch(session, _SET_ASIDE, which))
    told = {"items": total["items"], "wanted": total["wanted"], "set_aside": aside}
    return {name: int(number) for name, number in (told | fetch(session, _LEASED, which)[0]).items()}


def progress(session: Session, project_ids: Collection[int]) -> dict[int, Progress]:
    """How far each of these projects is, for a page that shows many."""
    which = {"project_ids": list(project_ids)}
    done = _by_project(fetch(session, _COUNTED.format(newer=_newer(session)), which))
    aside = _by_project(fetch(session, _SET_ASIDE, which))
    waiting = {row["project_id"] for row in fetch(session, _OPEN, which)}
    return {
        project_id: Progress(int(items), int(wanted) - aside[project_id], done[project_id], project_id in waiting)
        for project_id, items, wanted in (row.values() for row in fetch(session, _WANTED, which))
    }


def _by_project(rows: Sequence[Mapping[str, Any]]) -> Counter[int]:
    return Counter({row["project_id"]: int(row["n"]) for row in rows})


def _which(project_id: int) -> dict[str, Any]:
    return {"project_id": project_id, "project_ids": [project_id]}


def add_up(session: Session) -> int:
    """What came in since the last time, once that is worth it; says how many sums changed. For the sweep."""
    worth_it = fetch(session, _IS_WORTH_IT, {"worth_it": WORTH_IT})[0]
    if not any(worth_it.values()) or not session.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
        return 0
    session.execute(text("SET LOCAL statement_timeout = 0"))  # the first time it is all there ever was
    if worth_it["totals"]:
        session.execute(text(_TOTALS))
    return len(fetch(session, _ADD_UP.format(newer=_newer(session)), {})) if worth_it["judged"] else 0


def keep_still(session: Session) -> None:
    """Nothing is added up until this transaction has ended: for whoever stores judgments without a lock for their person."""
    session.execute(select(func.pg_advisory_xact_lock_shared(LOCK)))
