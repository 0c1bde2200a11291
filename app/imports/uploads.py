"""What a request brings, streamed to a temporary file: the body of an API call, or the form of the page.

Who is asking, and for which project, is settled before the first byte is read. So the forms here are parsed by hand:
the framework would read the whole body first and ask afterwards.
"""

import io
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Annotated, BinaryIO

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.access import MayImport, Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput
from app.imports.service import upload_limit_bytes
from app.imports.unpacking import too_large
from app.language import gettext as _
from app.models import Project
from app.projects.queries import managed_project

_WRITE_BYTES = 1 << 20
MOST_PASTED_MB = 8


@dataclass(frozen=True, slots=True)
class Target:
    """Who imports into what."""

    person: Person
    project: Project


@dataclass(frozen=True, slots=True)
class Upload:
    """A file at its beginning, with what its sender says it is; `pasted` is its text, if it came as text."""

    target: Target
    file: BinaryIO
    media_type: str = ""
    name: str = ""
    pasted: str | None = None


def program_target(slug: str, person: MayImport, session: SessionDep) -> Target:
    return Target(person, managed_project(session, person, slug))


def browser_target(slug: str, person: SignedIn, session: SessionDep) -> Target:
    return Target(person, managed_project(session, person, slug))


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    """The body up to the limit. What goes beyond is read and dropped, since a sender that is cut off sees no answer."""
    limit, seen = upload_limit_bytes(), 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen <= limit:
            yield chunk
    if seen > limit:
        raise too_large(limit)


async def sent_body(request: Request, target: Annotated[Target, Depends(program_target)]) -> AsyncIterator[Upload]:
    media_type = request.headers.get("content-type", "")
    if media_type.startswith("multipart/"):
        raise BadInput(_("send the file itself as the body, such as `curl --data-binary @file`, not as a form"))
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "gzip", "x-gzip"}:
        raise BadInput(_("the content encoding “%(coding)s” is not known here; use gzip, or none", coding=coding))
    with tempfile.TemporaryFile() as file:
        waiting = bytearray()
        async for chunk in _limited(request):
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                await run_in_threadpool(file.write, waiting)
                waiting = bytearray()
        file.write(waiting)
        file.seek(0)
        yield Upload(target, file, media_type)


async def sent_form(request: Request, target: Annotated[Target, Depends(browser_target)]) -> AsyncIterator[Upload]:
    """The page's form: a file, or records pasted as text."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadInput(_("choose a file, or paste records"))
    parser = MultiPartParser(
        request.headers, _limited(request), max_files=1, max_fields=10, max_part_size=MOST_PASTED_MB << 20
    )
    try:
        form = await parser.parse()
    except MultiPartException as problem:
        raise BadInput(
            _("the form could not be read (%(words)s); send long texts as a file", words=problem.message)
        ) from None
    try:
        file = form.get("file")
        if isinstance(file, UploadFile) and file.filename:
            yield Upload(target, file.file, file.content_type or "", file.filename)
        else:
            records = form.get("records")
            pasted = records if isinstance(records, str) else ""
            yield Upload(target, io.BytesIO(pasted.encode()), name="pasted", pasted=pasted)
    finally:
        await form.close()


SentBody = Annotated[Upload, Depends(sent_body, scope="function")]
SentForm = Annotated[Upload, Depends(sent_form, scope="function")]
