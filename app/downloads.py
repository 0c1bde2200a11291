"""Serving a stored file: ETag, conditional requests, ranges, HEAD, all by the file's row (RFC 9110).

The ETag is the SHA-256, since stored files never change. The bytes leave (`handover.py`) after the request's session has
ended, so a download of many gigabytes holds neither memory nor a database connection.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from app.errors import NotFound
from app.handover import Part, send
from app.storage import Stored

_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".jinja": "text/plain; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def listed(files: Sequence[Mapping[str, Any]], path: str) -> Stored:
    """The file of a row that has exactly this path. Whatever else is asked for, `..` or not, is nobody's file."""
    for file in files:
        if file["path"] == path:
            return Stored(path=file["path"], size=file["size"], sha256=file["sha256"])
    raise NotFound(f"There is no file “{path}” here; the files are {', '.join(file['path'] for file in files)}.")


def download(
    request: Request,
    prefix: str,
    file: Stored,
    *,
    save_as: str | None = None,
    made: bytes | None = None,
    also: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Answer GET or HEAD for a file below `prefix`. `save_as` is the name a browser suggests; `made` the content of a file
    that follows from its row and is not in storage; `also` are headers for every answer.
    """
    etag = f'"{file.sha256}"'
    path = PurePosixPath(file.path)
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache", **also}
    if names(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(save_as or path.name)}"
    status, start, end = _part(request, etag, file.size)
    if status == 416:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.size}"})
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["Content-Length"] = str(end - start)
    media_type = _TYPES.get(path.suffix, "application/octet-stream")
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    if made is not None:
        return Response(made[start:end], status_code=status, headers=headers, media_type=media_type)
    part = Part(f"{prefix}/{file.path}", start, end, sha256=file.sha256 if status == 200 else None)
    return send(part, status=status, headers=headers, media_type=media_type)


def names(tags: str, etag: str) -> bool:
    """Whether an If-None-Match header names this tag. A weak one (W/…) is good enough for that."""
    return any(tag.strip().removeprefix("W/") in {etag, "*"} for tag in tags.split(","))


def _part(request: Request, etag: str, size: int) -> tuple[int, int, int]:
    """Status, start and end (exclusive). Several ranges, or one that makes no sense, are answered with the whole file."""
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    condition = request.headers.get("if-range", etag)
    if found is None or found.group() == "bytes=-" or condition != etag:
        return 200, 0, size
    first, last = found.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return 200, 0, size
    if start >= size or start >= end:
        return 416, 0, 0
    return 206, start, end
