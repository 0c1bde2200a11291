"""Judged groups, straight into the tables: for stories that begin after the judging."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Assignment, Item, Judgment, Project, Prompt, Response, User


def make_project(session: Session, slug: str = "pairs") -> Project:
    project = Project(slug=slug, name=slug.title(), kind="pair")
    session.add(project)
    session.flush()
    return project


def make_judge(session: Session, project: Project, name: str = "file", judge_kind: str = "imported") -> User:
    found = session.scalars(select(User).where(User.project_id == project.id, User.name == name)).one_or_none()
    user = found or User(name=name, judge_kind=judge_kind, project_id=project.id)
    session.add(user)
    session.flush()
    return user


def _prompt(session: Session, project: Project, words: str) -> Prompt:
    digest = hashlib.sha256(words.encode()).digest()
    where = (Prompt.project_id == project.id, Prompt.content_hash == digest)
    found = session.scalars(select(Prompt).where(*where)).one_or_none()
    messages = [{"role": "user", "content": words}]
    prompt = found or Prompt(project_id=project.id, messages=messages, content_hash=digest)
    session.add(prompt)
    session.flush()
    return prompt


def add_item(
    session: Session, project: Project, words: str, texts: Sequence[str], metadata: dict[str, Any] | None = None
) -> Item:
    prompt = _prompt(session, project, words)
    responses = [
        Response(id=uuid4(), prompt_id=prompt.id, text=text, model=f"model-{place}", content_hash=uuid4().bytes)
        for place, text in enumerate(texts)
    ]
    session.add_all(responses)
    item = Item(
        project_id=project.id,
        prompt_id=prompt.id,
        response_ids=[response.id for response in responses],
        content_hash=hashlib.sha256(json.dumps([words, *texts]).encode()).digest(),
        record_metadata=metadata or {},
        wanted=1,
        open_slots=0,
    )
    session.add(item)
    session.flush()
    return item


def judge(session: Session, item: Item, tiers: Sequence[int | None], **told: Any) -> Judgment:
    """One judgment of an item; `tiers` in the order of its responses. `told` overrides what is usual."""
    project = session.get_one(Project, item.project_id)
    user = make_judge(session, project, name=str(told.pop("by", "file")))
    turn = Assignment(
        project_id=project.id,
        item_id=item.id,
        user_id=user.id,
        state="done",
        seed=0,
        shown_order=item.response_ids,
        expires_at=datetime.now(UTC),
    )
    session.add(turn)
    session.flush()
    given = {
        "judge_kind": "imported",
        "outcome": "ranked",
        "tiers": {str(key): tier for key, tier in zip(item.response_ids, tiers, strict=True) if tier is not None},
        "client_key": uuid4().hex,
    }
    judgment = Judgment(
        project_id=project.id, assignment_id=turn.id, item_id=item.id, user_id=user.id, **(given | told)
    )
    session.add(judgment)
    session.flush()
    return judgment


def judged_pairs(session: Session, n: int, slug: str = "pairs") -> Project:
    """A project with n prompts, each with one judged pair: the first response is better."""
    project = make_project(session, slug)
    for number in range(n):
        item = add_item(session, project, f"Question {number}?", [f"good {number}", f"bad {number}"])
        judge(session, item, [1, 2])
    return project
