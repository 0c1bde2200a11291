"""Every tuple in force as a stream: what `GET /projects/{slug}/preferences` sends, and what `tiebreak export` writes."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import orjson
from sqlalchemy import Select, Text, cast, select
from sqlalchemy.orm import aliased

from app.db import read_session
from app.judgments.pseudonyms import pseudonym
from app.models import Item, Judgment, Preference, Project, Prompt, Response

ROWS_AT_ONCE = 200


def preference_lines(project: Project) -> Generator[bytes]:
    """Every tuple in force as NDJSON, some lines at a time, through a cursor on the server.

    The stream has a session of its own, since the request's has ended before the first byte. What is JSON in the database
    stays as it is on its way out.
    """
    options = {"yield_per": ROWS_AT_ONCE}
    with read_session() as session, session.execute(_tuples(project.id), execution_options=options) as found:
        for part in found.partitions():
            yield b"".join(orjson.dumps(_line(row, project), option=orjson.OPT_APPEND_NEWLINE) for row in part)


def with_trailer(parts: Generator[bytes]) -> Generator[bytes]:
    """The same lines and one more, `{"end": true, "tuples": n}`: a stream that is cut off on its way looks like a shorter one."""
    n = 0
    with closing(parts):
        for part in parts:
            n += part.count(b"\n")
            yield part
    yield orjson.dumps({"end": True, "tuples": n}, option=orjson.OPT_APPEND_NEWLINE)


def _tuples(project_id: int) -> Select[*tuple[Any, ...]]:
    chosen, rejected = aliased(Response), aliased(Response)
    return (
        select(
            cast(Prompt.messages, Text).label("prompt"),
            chosen.text.label("chosen"),
            rejected.text.label("rejected"),
            chosen.model.label("chosen_model"),
            rejected.model.label("rejected_model"),
            Preference.chosen_id,
            Preference.rejected_id,
            Preference.item_id,
            Preference.judgment_id,
            Preference.margin,
            Judgment.user_id,
            Judgment.judge_kind,
            Judgment.counted,
            Judgment.created_at,
            cast(Item.record_metadata, Text).label("metadata"),
        )
        .join(Prompt, Prompt.id == Preference.prompt_id)
        .join(chosen, chosen.id == Preference.chosen_id)
        .join(rejected, rejected.id == Preference.rejected_id)
        .join(Judgment, Judgment.id == Preference.judgment_id)
        .join(Item, Item.id == Preference.item_id)
        .where(Preference.project_id == project_id, Preference.is_current)
        .order_by(Preference.id)
    )


def _line(row: Any, project: Project) -> dict[str, Any]:
    """Prompt and responses as messages; `group` is the item, so that tuples of one ranking can be kept together."""
    return {
        "prompt": orjson.Fragment(row.prompt),
        "chosen": [{"role": "assistant", "content": row.chosen}],
        "rejected": [{"role": "assistant", "content": row.rejected}],
        "margin": row.margin,
        "group": row.item_id,
        "judgment": row.judgment_id,
        "annotator": pseudonym(project, row.user_id),
        "judge_kind": row.judge_kind,
        "counted": row.counted,
        "chosen_id": row.chosen_id,
        "rejected_id": row.rejected_id,
        "chosen_model": row.chosen_model,
        "rejected_model": row.rejected_model,
        "metadata": orjson.Fragment(row.metadata),
        "judged_at": row.created_at,
    }
