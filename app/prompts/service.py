"""Store groups in bulk: what is there already is found by its content and used again."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, LargeBinary, and_, column, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from app.db import among, insert_rows
from app.models import Item, Project, Prompt, Response
from app.models.table import Json
from app.preference import dense, has_order
from app.prompts.groups import Group, Placing, item_hash

Hash = bytes
_draw = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class StoredItem:
    """Where a group went. `response_ids` are in the group's own order, whatever the item's is."""

    id: int
    prompt_id: int
    response_ids: tuple[UUID, ...]
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Hashed:
    group: Group
    prompt: Hash
    responses: tuple[Hash, ...]
    item: Hash


def store(session: Session, project: Project, groups: Sequence[Group]) -> list[StoredItem | None]:
    """Prompts, responses and items of these groups, a few statements for all of them.

    None stands for a group that is not stored because its external id belongs to an item with other content. The
    caller makes sure that nobody else stores into the project meanwhile (`imports` holds the project's row).
    """
    hashed = [_hashed(group) for group in groups]
    item_ids = _known_items(session, project, hashed)
    taken = _places_of_taken_ids(session, project, hashed, item_ids.keys())
    kept = [one for place, one in enumerate(hashed) if place not in taken]
    prompt_ids = _store_prompts(session, project, kept)
    response_ids = _store_responses(session, kept, prompt_ids)
    fresh = {one.item: one for one in reversed(kept) if one.item not in item_ids}
    fresh_ids = _store_items(session, project, list(reversed(fresh.values())), prompt_ids, response_ids)
    stored: list[StoredItem | None] = [None] * len(hashed)
    for place, one in enumerate(hashed):
        if place not in taken:
            is_new = one.item not in item_ids
            item_id = item_ids.setdefault(one.item, fresh_ids[one.item]) if is_new else item_ids[one.item]
            prompt_id = prompt_ids[one.prompt]
            ids = tuple(response_ids[prompt_id, response] for response in one.responses)
            stored[place] = StoredItem(item_id, prompt_id, ids, is_new)
    return stored


def _hashed(group: Group) -> _Hashed:
    prompt = group.prompt_hash()
    responses = tuple(response.content_hash() for response in group.responses)
    return _Hashed(group, prompt, responses, item_hash(prompt, responses))


def _known_items(session: Session, project: Project, hashed: Sequence[_Hashed]) -> dict[Hash, int]:
    rows = session.execute(
        select(Item.content_hash, Item.id).where(
            Item.project_id == project.id, among(Item.content_hash, {one.item for one in hashed})
        )
    )
    return dict(rows.all())


def _places_of_taken_ids(
    session: Session, project: Project, hashed: Sequence[_Hashed], known: Iterable[Hash]
) -> set[int]:
    """Which groups bring an id that other content has already, in the database or earlier in this batch."""
    named = {one.group.external_id for one in hashed if one.group.external_id is not None}
    rows = session.execute(
        select(Item.external_id, Item.content_hash).where(Item.project_id == project.id, among(Item.external_id, named))
    )
    owners: dict[str | None, Hash] = dict(rows.all())
    settled = set(known)
    taken = set()
    for place, one in enumerate(hashed):
        name = one.group.external_id
        if name is not None and owners.get(name, one.item) != one.item:
            taken.add(place)
        elif one.item not in settled:
            settled.add(one.item)
            if name is not None:
                owners[name] = one.item
    return taken


def _store_prompts(session: Session, project: Project, kept: Sequence[_Hashed]) -> dict[Hash, int]:
    wanted = {one.prompt: one.group.messages for one in kept}
    known = select(Prompt.content_hash, Prompt.id).where(
        Prompt.project_id == project.id, among(Prompt.content_hash, wanted)
    )
    ids = dict(session.execute(known).all())
    rows = [
        {"project_id": project.id, "content_hash": content_hash, "messages": messages}
        for content_hash, messages in wanted.items()
        if content_hash not in ids
    ]
    if rows:
        added = session.execute(insert_rows(Prompt, rows).returning(Prompt.content_hash, Prompt.id))
        ids.update(added.all())
    return ids


def _store_responses(
    session: Session, kept: Sequence[_Hashed], prompt_ids: dict[Hash, int]
) -> dict[tuple[int, Hash], UUID]:
    wanted = {
        (prompt_ids[one.prompt], content_hash): given
        for one in kept
        for content_hash, given in zip(one.responses, one.group.responses, strict=True)
    }
    ids = _known_responses(session, wanted.keys())
    rows: list[dict[str, Any]] = [
        {
            "id": uuid4(),
            "prompt_id": key[0],
            "content_hash": key[1],
            "text": given.text,
            "model": given.model,
            "score": given.score,
            "sampling": given.sampling,
        }
        for key, given in wanted.items()
        if key not in ids
    ]
    if rows:
        session.execute(insert_rows(Response, rows))
    return ids | {(row["prompt_id"], row["content_hash"]): row["id"] for row in rows}


def _known_responses(session: Session, wanted: Collection[tuple[int, Hash]]) -> dict[tuple[int, Hash], UUID]:
    """Looked up pair by pair in the index: two separate lists would be tried in all their combinations."""
    prompt_ids = literal([prompt_id for prompt_id, _ in wanted], ARRAY(BigInteger))
    hashes = literal([content_hash for _, content_hash in wanted], ARRAY(LargeBinary))
    columns = (column("prompt_id", BigInteger), column("content_hash", LargeBinary))
    pairs = func.unnest(prompt_ids, hashes).table_valued(*columns, name="wanted").render_derived()
    known = select(Response.prompt_id, Response.content_hash, Response.id).join(
        pairs, and_(Response.prompt_id == pairs.c.prompt_id, Response.content_hash == pairs.c.content_hash)
    )
    return {(prompt_id, content_hash): key for prompt_id, content_hash, key in session.execute(known)}


def _placed(project: Project, placing: Placing, keys: Sequence[UUID]) -> dict[str, Any]:
    """Gold wants no judgments, and what is reserved for somebody wants theirs."""
    wanted = 0 if placing.gold else 1 if placing.reserved_for is not None else project.judgments_per_item
    return {
        "wanted": wanted,
        "open_slots": wanted,
        "priority": _draw.random() if placing.priority is None else placing.priority,
        "gold": right_answer(dict(zip(keys, placing.gold, strict=True))) if placing.gold else None,
        "is_training": placing.is_training,
        "reserved_for": placing.reserved_for,
    }


def right_answer(tiers: Mapping[UUID, int]) -> Json:
    """Gold as an item holds it."""
    outcome = "ranked" if has_order([*tiers.values()]) else "tie"
    return {"outcome": outcome, "tiers": {str(key): tier for key, tier in dense(tiers).items()}}


def _store_items(
    session: Session,
    project: Project,
    fresh: Sequence[_Hashed],
    prompt_ids: dict[Hash, int],
    response_ids: dict[tuple[int, Hash], UUID],
) -> dict[Hash, int]:
    if not fresh:
        return {}
    rows = []
    for one in fresh:
        keys = [response_ids[prompt_ids[one.prompt], response] for response in one.responses]
        row = {
            "project_id": project.id,
            "prompt_id": prompt_ids[one.prompt],
            "response_ids": keys,
            "content_hash": one.item,
            "external_id": one.group.external_id,
            "metadata": one.group.metadata,
        }
        rows.append(row | _placed(project, one.group.placing, keys))
    added = session.execute(insert_rows(Item, rows).returning(Item.content_hash, Item.id))
    return dict(added.all())
