"""Checkpoints for programs: list them, fetch their files."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.access import MayReadAll
from app.checkpoints.queries import Lineage, checkpoint_by_id, checkpoints_page, lineage
from app.db import SessionDep
from app.downloads import download, listed
from app.keyset import After, Limit, cut, link_next

router = APIRouter(tags=["checkpoints"])


class CheckpointAnswer(BaseModel):
    """`run` and `dataset` are ids; `files` are those of a plain `transformers` folder."""

    id: int
    name: str
    version: int
    kind: str
    method: str
    run: int
    dataset: int
    project: str
    base_model: str
    metrics: dict[str, Any]
    sha256: str
    files: list[dict[str, Any]]
    created_at: datetime


def answer(found: Lineage) -> CheckpointAnswer:
    checkpoint = found.checkpoint
    return CheckpointAnswer(
        id=checkpoint.id,
        name=checkpoint.name,
        version=checkpoint.version,
        kind=checkpoint.kind,
        method=found.run.method,
        run=found.run.id,
        dataset=found.dataset.id,
        project=found.project.slug,
        base_model=found.run.base_model,
        metrics=checkpoint.metrics,
        sha256=checkpoint.sha256,
        files=checkpoint.files,
        created_at=checkpoint.created_at,
    )


@router.get("/checkpoints")
def list_checkpoints(
    _: MayReadAll, session: SessionDep, request: Request, response: Response, after: After = None, limit: Limit = 100
) -> list[CheckpointAnswer]:
    """Newest first."""
    page = cut(checkpoints_page(session, after=after, limit=limit), limit, key=lambda row: row.checkpoint.id)
    link_next(request, response, page.next_after)
    return [answer(found) for found in page.rows]


@router.get("/checkpoints/{checkpoint_id}")
def show_checkpoint(checkpoint_id: int, _: MayReadAll, session: SessionDep) -> CheckpointAnswer:
    return answer(lineage(session, checkpoint_id))


@router.head("/checkpoints/{checkpoint_id}/files/{path:path}", response_class=Response, include_in_schema=False)
@router.get("/checkpoints/{checkpoint_id}/files/{path:path}", response_class=Response)
def checkpoint_file(checkpoint_id: int, path: str, _: MayReadAll, session: SessionDep, request: Request) -> Response:
    checkpoint = checkpoint_by_id(session, checkpoint_id)
    return download(request, checkpoint.prefix, listed(checkpoint.files, path))
