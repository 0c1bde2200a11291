"""Imports for programs: send a file as the body."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from app.db import SessionDep
from app.imports.reading import records
from app.imports.service import import_records, upload_limit_bytes
from app.imports.uploads import SentBody

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


@router.post("/projects/{slug}/items", openapi_extra=_BODY)  # noqa: FAST003 -- `sent` knows the project
def import_items(sent: SentBody, session: SessionDep) -> ImportAnswer:
    """Import items with their responses. Good records go in, bad ones are named. Sending the same again adds nothing."""
    stream = records(sent.file, limit_bytes=upload_limit_bytes(), media_type=sent.media_type)
    report = import_records(session, sent.target.project, sent.target.person, stream, source="API")
    return ImportAnswer.model_validate(asdict(report))
