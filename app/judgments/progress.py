"""How far somebody is in a project: asked with every turn that is shown, so it is one statement and counts only so far.

What is left is counted item by item, without those that this person has judged or has before them; the page adds the one
that it shows. Once it has met `COUNTED_LEFT` of them, or looked at `LOOKED_AT` open items, the page says “at least”. That
there are so many stays true for a while: for `REMEMBERED_S` seconds nobody counts again.
"""

from dataclasses import dataclass
from threading import Lock

from cachetools import TTLCache
from sqlalchemy.orm import Session

from app.access import Person
from app.db import fetch
from app.models import Project

COUNTED_LEFT = 1000
LOOKED_AT = 10_000
REMEMBERED_S = 10
# The time that an item takes is that of the newest ones: people become quicker.
RECENT = 50
FEWEST_FOR_A_MEDIAN = 3

# The first two branches have the conditions of the indexes `ix_item_queue` and `ix_item_reserved`.
_PROGRESS = """
    WITH newest AS (
        SELECT duration_ms FROM judgment
        WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND is_current AND outcome <> 'skip'
        AND duration_ms IS NOT NULL ORDER BY id DESC LIMIT %(recent)s
    ), open AS (
        (SELECT id FROM item WHERE project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside
            AND reserved_for IS NULL AND %(counts)s LIMIT %(looked_at)s)
        UNION ALL
        (SELECT id FROM item WHERE project_id = %(project_id)s AND open_slots > 0 AND NOT set_aside
            AND reserved_for = %(person_id)s AND %(counts)s LIMIT %(looked_at)s)
        LIMIT %(looked_at)s
    ), theirs AS (
        SELECT FROM open WHERE NOT EXISTS (
            SELECT FROM assignment WHERE item_id = open.id AND user_id = %(person_id)s AND state IN ('open', 'done'))
        LIMIT %(most)s
    )
    SELECT count(*) AS in_all, count(*) FILTER (WHERE created_at >= date_trunc('day', now())) AS today,
        (SELECT count(*) FROM theirs) AS open_items,
        (SELECT count(*) FROM theirs) >= %(most)s OR (SELECT count(*) FROM open) >= %(looked_at)s AS are_more,
        (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) / 1000.0 FROM newest
            HAVING count(*) >= %(fewest)s) AS usual_s
    FROM judgment
    WHERE project_id = %(project_id)s AND user_id = %(person_id)s AND is_current AND outcome <> 'skip'
"""

_have_many: TTLCache[tuple[int, int], bool] = TTLCache(10_000, REMEMBERED_S)
_one_at_a_time = Lock()


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


def progress(session: Session, person: Person, project: Project) -> Progress:
    whose = (project.id, person.id)
    with _one_at_a_time:
        has_many = whose in _have_many
    limits = {"most": COUNTED_LEFT, "looked_at": LOOKED_AT, "recent": RECENT, "fewest": FEWEST_FOR_A_MEDIAN}
    asked = {"project_id": project.id, "person_id": person.id, "counts": not has_many}
    (row,) = fetch(session, _PROGRESS, asked | limits)
    if has_many:
        row |= {"open_items": COUNTED_LEFT, "are_more": True}
    elif row["open_items"] == COUNTED_LEFT:
        with _one_at_a_time:
            _have_many[whose] = True
    return Progress(**row)
