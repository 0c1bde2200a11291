"""The Hub's addresses of files: `/tiebreak/<name>/resolve/<revision>/<path>`, and `/datasets/…` for those of datasets.

The same addresses without `resolve` are what people copy from a client's messages; they lead to our own pages.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from app.db import SessionDep
from app.download_counts import count
from app.downloads import download
from app.hub.asking import Reader
from app.hub.commits import Commit
from app.hub.refusals import HubRoute, no_entry
from app.hub.repositories import commit_of, row_of
from app.models.checkpoint import HUB_OWNER

router = APIRouter(route_class=HubRoute)
_PAGES = {"model": "checkpoints", "dataset": "datasets"}


@router.api_route("/datasets/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
def dataset_file(
    namespace: str, name: str, revision: str, path: str, person: Reader, session: SessionDep, request: Request
) -> Response:
    return file(request, session, commit_of(session, person, "dataset", f"{namespace}/{name}", revision), path)


@router.api_route("/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
def model_file(
    namespace: str, name: str, revision: str, path: str, person: Reader, session: SessionDep, request: Request
) -> Response:
    return file(request, session, commit_of(session, person, "model", f"{namespace}/{name}", revision), path)


def file(request: Request, session: Session, commit: Commit, path: str) -> Response:
    """The file with the headers that the Hub's clients keep it by: the commit, the hash and the size."""
    found = next((file for file in commit.files if file.path == path), None)
    if found is None:
        raise no_entry(path, commit.id)
    headers = {
        "X-Repo-Commit": commit.id,
        "X-Linked-Etag": f'"{found.sha256}"',
        "X-Linked-Size": str(found.size),
    }
    count(session, request, row_of(session, commit), path)
    return download(request, commit.prefix, found, made=commit.made.get(path), also=headers)


@router.get(f"/{HUB_OWNER}/{{name}}")
def model_page(name: str, person: Reader, session: SessionDep) -> Response:
    return _page(commit_of(session, person, "model", f"{HUB_OWNER}/{name}"))


@router.get(f"/datasets/{HUB_OWNER}/{{name}}")
def dataset_page(name: str, person: Reader, session: SessionDep) -> Response:
    return _page(commit_of(session, person, "dataset", f"{HUB_OWNER}/{name}"))


def _page(commit: Commit) -> Response:
    return RedirectResponse(f"/{_PAGES[commit.kind]}/{commit.row_id}", status_code=303)
