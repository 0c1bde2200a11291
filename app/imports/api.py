"""Imports for programs: send a file as the body, and what became of those before."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from app.access import MayRead
from app.db import SessionDep
from app.forms import RowNumber
from app.imports.queries import import_by_id, imports_page
from app.imports.reading import records
from app.imports.service import import_records, upload_limit_bytes
from app.imports.uploads import SentBody
from app.keyset import Paging
from app.models import Audit, User
from app.projects.queries import managed_project

router = APIRouter(tags=["imports"])


class BadLine(BaseModel):
    line: int
    message: str


class ImportAnswer(BaseModel):
    """`failed` counts the bad lines, of which `errors` names the first thousand."""

    imported: int
    duplicates: int
    judgments: int
    failed: int
    errors: list[BadLine]


class PastImport(BaseModel):
    """`source` is the name of the file, or how the records came; `by` is null for the command line."""

    id: int
    at: datetime
    by: str | None
    source: str
    imported: int
    duplicates: int
    judgments: int
    failed: int


class PastImportWithErrors(PastImport):
    """`errors` names the first thousand of the bad lines."""

    errors: list[BadLine]


_FORMATS = (
    "application/x-ndjson",
    "application/json",
    "text/csv",
    "application/vnd.apache.parquet",
    "application/gzip",
)
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in _FORMATS},
    }
}


def past(done: Audit, by: str | None) -> dict[str, Any]:
    return {**done.detail, "id": done.id, "at": done.at, "by": by}


@router.post("/projects/{slug}/items", openapi_extra=_BODY)  # noqa: FAST003 -- `sent` knows the project
def import_items(sent: SentBody, session: SessionDep) -> ImportAnswer:
    """Import items with their responses. Good records go in, bad ones are named. Sending the same again adds nothing."""
    stream = records(sent.file, limit_bytes=upload_limit_bytes(), media_type=sent.media_type)
    report = import_records(session, sent.target.project, sent.target.person, stream, source="API")
    return ImportAnswer.model_validate(asdict(report))


@router.get("/projects/{slug}/imports")
def list_imports(slug: str, person: MayRead, session: SessionDep, paging: Paging) -> list[PastImport]:
    """List what was imported into a project, newest first."""
    project = managed_project(session, person, slug)
    rows = paging.cut(imports_page(session, project, after=paging.after, limit=paging.limit), key=lambda row: row[0].id)
    return [PastImport.model_validate(past(done, by)) for done, by in rows]


@router.get("/projects/{slug}/imports/{import_id}")
def show_import(slug: str, import_id: RowNumber, person: MayRead, session: SessionDep) -> PastImportWithErrors:
    """Show an import with its bad lines, each with what is wrong with it."""
    done = import_by_id(session, managed_project(session, person, slug), import_id)
    user = session.get(User, done.user_id) if done.user_id is not None else None
    return PastImportWithErrors.model_validate(past(done, user.name if user is not None else None))
