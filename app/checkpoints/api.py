"""Checkpoints for programs: list them, fetch their files, say which version an alias stands for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access import MayReadAll, MayTrain
from app.checkpoints import aliases, deletion
from app.checkpoints.queries import (
    Lineage,
    aliases_of,
    aliases_of_name,
    checkpoint_by_id,
    checkpoints_page,
    lineage,
    there,
)
from app.db import SessionDep
from app.download_counts import count
from app.downloads import download, listed
from app.forms import LARGEST_ID, RowNumber
from app.keyset import Named, Paging
from app.models import CheckpointAlias

router = APIRouter(tags=["checkpoints"])


class CheckpointAnswer(BaseModel):
    """`run` and `dataset` are ids; `files` are those of a plain `transformers` folder, none once it was deleted."""

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
    aliases: list[str]
    created_at: datetime
    deleted_at: datetime | None


class AliasAnswer(BaseModel):
    """A word, the version of the name that it stands for, and since when."""

    name: str
    alias: str
    version: int
    moved_at: datetime


class Move(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=LARGEST_ID)]


def alias_answer(alias: CheckpointAlias) -> AliasAnswer:
    return AliasAnswer(name=alias.name, alias=alias.alias, version=alias.version, moved_at=alias.moved_at)


def answer(found: Lineage, words: Sequence[str]) -> CheckpointAnswer:
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
        aliases=list(words),
        created_at=checkpoint.created_at,
        deleted_at=checkpoint.deleted_at,
    )


@router.get("/checkpoints")
def list_checkpoints(
    person: MayReadAll, session: SessionDep, paging: Paging, name: Named = ""
) -> list[CheckpointAnswer]:
    """List the published models, newest first."""
    found = checkpoints_page(session, person, name=name, after=paging.after, limit=paging.limit)
    rows = paging.cut(found, key=lambda row: row.checkpoint.id)
    words = aliases_of(session, [found.checkpoint for found in rows])
    return [answer(found, words.get(found.checkpoint.id, ())) for found in rows]


@router.get("/checkpoints/{checkpoint_id}")
def show_checkpoint(checkpoint_id: RowNumber, person: MayReadAll, session: SessionDep) -> CheckpointAnswer:
    """Show a published model with what it measured, its files and their SHA-256."""
    found = lineage(session, person, checkpoint_id)
    return answer(found, aliases_of(session, [found.checkpoint]).get(found.checkpoint.id, ()))


@router.delete("/checkpoints/{checkpoint_id}", status_code=204)
def delete_checkpoint(checkpoint_id: RowNumber, person: MayTrain, session: SessionDep) -> None:
    """Delete a published model, unless something needs it: an alias, a run that is not over, a checkpoint made from it. Its version stays taken."""
    deletion.delete(session, person, checkpoint_by_id(session, person, checkpoint_id))


@router.head("/checkpoints/{checkpoint_id}/files/{path:path}", response_class=Response, include_in_schema=False)
@router.get("/checkpoints/{checkpoint_id}/files/{path:path}", response_class=Response)
def checkpoint_file(
    checkpoint_id: RowNumber, path: str, person: MayReadAll, session: SessionDep, request: Request
) -> Response:
    """Download a file of a published model. Its `ETag` is its SHA-256, and `Range` goes on where a download broke."""
    checkpoint = there(checkpoint_by_id(session, person, checkpoint_id))
    file = listed(checkpoint.files, path)
    count(session, request, checkpoint, path)
    return download(request, checkpoint.prefix, file)


@router.get("/checkpoints/{name}/aliases")
def list_aliases(name: str, person: MayReadAll, session: SessionDep) -> list[AliasAnswer]:
    """List which version each alias of this name stands for now, in alphabetical order."""
    return [alias_answer(alias) for alias in aliases_of_name(session, person, name)]


@router.put("/checkpoints/{name}/aliases/{alias}")
def move_alias(name: str, alias: str, given: Move, person: MayTrain, session: SessionDep) -> AliasAnswer:
    """Let the alias stand for that version from now on, wherever it stood before."""
    return alias_answer(aliases.point(session, person, name, alias, given.version))


@router.delete("/checkpoints/{name}/aliases/{alias}", status_code=204)
def remove_alias(name: str, alias: str, person: MayTrain, session: SessionDep) -> None:
    """Remove an alias; the version stays as it is."""
    aliases.remove(session, person, name, alias)
