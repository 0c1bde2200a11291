"""Items that wait for their judgments, straight into the tables: for stories that begin with the judging."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy.orm import Session

from app.models import Item, Membership, Project, Prompt, Response, User


def open_project(session: Session, slug: str, kind: str, *members: User, **told: object) -> Project:
    project = Project(slug=slug, name=str(told.pop("name", slug.title())), kind=kind, **told)
    session.add(project)
    session.flush()
    session.add_all(Membership(user_id=user.id, project_id=project.id) for user in members)
    return project


def open_item(
    session: Session,
    project: Project,
    prompt: str | list[dict[str, str]],
    texts: Sequence[str],
    *,
    priority: float = 0.5,
) -> Item:
    """One item that wants one judgment."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    row = Prompt(project_id=project.id, messages=messages, content_hash=uuid4().bytes)
    session.add(row)
    session.flush()
    responses = [Response(id=uuid4(), prompt_id=row.id, text=text, content_hash=uuid4().bytes) for text in texts]
    session.add_all(responses)
    item = Item(
        project_id=project.id,
        prompt_id=row.id,
        response_ids=[response.id for response in responses],
        content_hash=uuid4().bytes,
        wanted=1,
        open_slots=1,
        priority=priority,
    )
    session.add(item)
    session.flush()
    return item
