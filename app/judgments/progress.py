"""How far somebody is in a project: asked with every turn that is shown, so it costs the same whatever they have done.

Judgments are append-only, so what was counted once stays counted: each process remembers how far it counted for whom,
and then looks at what is newer alone, which is one row after each key. A judgment counts one, its withdrawal takes one
off. The lock that judging takes for a person in a project makes their judgments visible in the order of their ids, so
nothing older can turn up later. It is remembered after the commit, since a transaction may yet come to nothing.

What others do matters as well to what is left, so that is counted again after `REMEMBERED_S` seconds, and every time
when the end is near. It is counted item by item, without those that this person has judged or has before them; the page
adds the one that it shows. Once `COUNTED_LEFT` of them were met, or `LOOKED_AT` open items looked at, it says “at least”.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from threading import Lock
from typing import Any, LiteralString

from cachetools import LRUCache

from app.access import Person
from app.db import Unit, ask, fetch, once_committed
from app.models import Project

COUNTED_LEFT = 1000
LOOKED_AT = 10_000
REMEMBERED_S = 10
NEAR_THE_END = 50
# The time that an item takes is that of the newest ones: people become quicker.
RECENT = 50
FEWEST_FOR_A_MEDIAN = 3

# A withdrawal has the outcome of what it takes back, and takes it off the day on which that was said.
_NEWER: LiteralString = """
    SELECT coalesce(max(id), %(newest)s) AS newest, coalesce(sum(one), 0) AS turns,
        coalesce(sum(one) FILTER (WHERE outcome <> 'skip'), 0) AS in_all,
        coalesce(sum(one) FILTER (WHERE outcome <> 'skip' AND said_at >= current_date), 0) AS today,
        current_date AS day
    FROM (
        SELECT id, outcome, CASE WHEN withdrawn THEN -1 ELSE 1 END AS one,
            CASE WHEN withdrawn THEN (
                SELECT created_at FROM judgment AS old
                WHERE old.assignment_id = judgment.assignment_id AND old.revision = judgment.revision - 1
            ) ELSE created_at END AS said_at
        FROM judgment
        WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND id > %(newest)s
    ) AS said
"""

# The first two branches have the conditions of the indexes `ix_item_queue` and `ix_item_reserved`.
_AROUND: LiteralString = """
    WITH newest AS (
        SELECT duration_ms FROM judgment
        WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND is_current AND outcome <> 'skip'
        AND duration_ms IS NOT NULL ORDER BY id DESC LIMIT %(recent)s
    ), open AS (
        (SELECT id FROM item WHERE project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside
            AND reserved_for IS NULL ORDER BY priority, id LIMIT %(looked_at)s)
        UNION ALL
        (SELECT id FROM item WHERE project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside
            AND reserved_for = %(person_id)s ORDER BY priority, id LIMIT %(looked_at)s)
        LIMIT %(looked_at)s
    ), theirs AS (
        SELECT FROM open WHERE NOT EXISTS (
            SELECT FROM assignment WHERE item_id = open.id AND user_id = %(person_id)s
            AND state IN ('open', 'done') OFFSET 0)
        LIMIT %(most)s
    )
    SELECT (SELECT count(*) FROM theirs) AS open_items,
        (SELECT count(*) FROM theirs) >= %(most)s OR (SELECT count(*) FROM open) >= %(looked_at)s AS are_more,
        (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) / 1000.0 FROM newest
            HAVING count(*) >= %(fewest)s) AS usual_s
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """`today` begins at midnight UTC; `open_items` are left for this person, and with `are_more` at least these.

    Known answers and repeats are work like any other to whoever does it: a counter that stood still would tell them apart.
    So `in_all` counts them, and what is left, where they are no part of, is said in tens where there may be some.
    `usual_s` is the median of the seconds that this person's newest judgments took, None until there are a few.
    """

    in_all: int
    today: int
    open_items: int
    are_more: bool
    usual_s: float | None


@dataclass(frozen=True, slots=True)
class _Said:
    """What somebody has said up to the judgment `newest`: turns with skips, judgments without, and those of a `day`."""

    newest: int = 0
    turns: int = 0
    in_all: int = 0
    today: int = 0
    day: date = date.min


@dataclass(frozen=True, slots=True)
class _Around:
    """What was found at a time (of `time.monotonic`) and after so many turns."""

    at: float
    turns: int
    open_items: int
    are_more: bool
    usual_s: float | None

    def holds(self) -> bool:
        is_far = self.are_more or self.open_items > NEAR_THE_END
        has_median = self.usual_s is not None or self.turns > RECENT
        return is_far and has_median and time.monotonic() - self.at < REMEMBERED_S

    def left_after(self, turns: int) -> int:
        """That there are so many as are counted at most stays true for a while; fewer become fewer with each turn."""
        if self.open_items >= COUNTED_LEFT:
            return self.open_items
        return max(0, self.open_items - (turns - self.turns))


# A project's number alone might be another one's in another database.
_Whose = tuple[int, datetime, int]
_remembered: LRUCache[_Whose, tuple[_Said, _Around]] = LRUCache(10_000)
_one_at_a_time = Lock()


def looking(unit: Unit, person: Person, project: Project) -> Callable[[], Progress]:
    """How far somebody is: asked now, and answered when what is returned is called."""
    whose = (project.id, project.created_at, person.id)
    with _one_at_a_time:
        before, around = _remembered.get(whose, (_Said(), None))
    who = {"project_id": project.id, "person_id": person.id}
    newer = ask(unit, _NEWER, who | {"newest": before.newest})

    def looked() -> Progress:
        said = _said_since(before, newer()[0])
        there = around if around is not None and around.holds() else _look_around(unit, who, said.turns)
        once_committed(unit, partial(_remember, whose, (said, there)))
        return Progress(said.in_all, said.today, there.left_after(said.turns), there.are_more, there.usual_s)

    return looked


def _said_since(before: _Said, row: Mapping[str, Any]) -> _Said:
    today = before.today if before.day == row["day"] else 0
    return _Said(
        newest=row["newest"],
        turns=before.turns + int(row["turns"]),
        in_all=before.in_all + int(row["in_all"]),
        today=today + int(row["today"]),
        day=row["day"],
    )


def _look_around(unit: Unit, who: dict[str, int], turns: int) -> _Around:
    limits = {"most": COUNTED_LEFT, "looked_at": LOOKED_AT, "recent": RECENT, "fewest": FEWEST_FOR_A_MEDIAN}
    (row,) = fetch(unit, _AROUND, who | limits)
    return _Around(time.monotonic(), turns, **row)


def _remember(whose: _Whose, learned: tuple[_Said, _Around]) -> None:
    with _one_at_a_time:
        _remembered[whose] = learned
