"""The Hub's read API: what a repository is, which revisions and files it has, and who is asking.

Its shapes are the Hub's, so they are no part of our own description of the API; `docs/hub.md` says which clients use them.
A revision may hold a slash (`refs/pr/1`), which servers cannot tell from the address's own; no revision of ours has one.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.datastructures import FormData

from app.db import SessionDep
from app.direct import read_json
from app.download_counts import downloads, lately
from app.hub.asking import Reader, Somebody
from app.hub.commits import Kind, entries, named_entries
from app.hub.descriptions import described, history, introduced, references
from app.hub.refusals import HubRoute, Refused, no_entry, no_repository
from app.hub.repositories import MAIN, branches_of, commit_of, newest_commits, row_of, versions_of
from app.models.checkpoint import HUB_OWNER

router = APIRouter(route_class=HubRoute, prefix="/api")
_MOST = 1000
Expand = Annotated[Sequence[str], Query()]
REPOSITORY = "/{kind:kinds}/{namespace}/{name}"


def repository(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"


Repository = Annotated[str, Depends(repository)]


@router.get("/whoami-v2")
def whoami(person: Somebody) -> dict[str, Any]:
    return introduced(person)


@router.get("/{kind:kinds}")
def repositories(
    kind: Kind, person: Reader, session: SessionDep, author: str = HUB_OWNER, search: str = "", limit: int = _MOST
) -> list[dict[str, Any]]:
    if author != HUB_OWNER:
        return []
    words = search.removeprefix(f"{HUB_OWNER}/")
    found = newest_commits(session, person, kind, words, min(max(limit, 0), _MOST))
    return [described(commit) for commit in found]


@router.get("/{kind:kinds}/{name}")
def without_namespace(kind: Kind, name: str, person: Reader) -> None:
    """`gpt2` and the like: repositories of the Hub's own, of which there are none here."""
    del kind, name, person
    raise no_repository(asked_by_somebody=True)


@router.get(REPOSITORY)
def newest(
    kind: Kind, of: Repository, person: Reader, session: SessionDep, expand: Expand = (), *, blobs: bool = False
) -> dict[str, Any]:
    return at_revision(kind, of, MAIN, person, session, expand, blobs=blobs)


@router.get(REPOSITORY + "/revision/{revision:path}")
def at_revision(
    kind: Kind,
    of: Repository,
    revision: str,
    person: Reader,
    session: SessionDep,
    expand: Expand = (),
    *,
    blobs: bool = False,
) -> dict[str, Any]:
    commit = commit_of(session, person, kind, of, revision)
    row = row_of(session, commit)
    counted = (lately(session, row), downloads(session, row))
    return described(commit, detailed=blobs, expand=expand, downloads=counted)


@router.get(REPOSITORY + "/auth-check")
def auth_check(kind: Kind, of: Repository, person: Reader, session: SessionDep) -> dict[str, Any]:
    commit_of(session, person, kind, of)
    return {}


@router.get(REPOSITORY + "/auth-check/write")
def may_write(kind: Kind, of: Repository, person: Reader, session: SessionDep) -> None:
    commit_of(session, person, kind, of)
    raise Refused(403, "runs publish checkpoints and people freeze datasets; nobody writes to a repository")


@router.get(REPOSITORY + "/refs")
def refs(kind: Kind, of: Repository, person: Reader, session: SessionDep) -> dict[str, Any]:
    versions = versions_of(session, person, kind, of)
    return references(branches_of(session, person, kind, of, versions), versions)


@router.get(REPOSITORY + "/commits/{revision:path}")
def commits(kind: Kind, of: Repository, revision: str, person: Reader, session: SessionDep) -> list[dict[str, Any]]:
    """The versions up to this one, newest first."""
    commit = commit_of(session, person, kind, of, revision)
    return history([one for one in versions_of(session, person, kind, of) if one.version <= commit.version])


@router.get(REPOSITORY + "/tree/{revision}")
@router.get(REPOSITORY + "/tree/{revision}/{path:path}")
def tree(
    kind: Kind,
    of: Repository,
    revision: str,
    person: Reader,
    session: SessionDep,
    path: str = "",
    *,
    recursive: bool = False,
    expand: bool = False,
) -> list[dict[str, Any]]:
    commit = commit_of(session, person, kind, of, revision)
    folder = path.strip("/")
    found = entries(commit, folder, recursive=recursive, expand=expand)
    if folder and not found:
        raise no_entry(folder, commit.id)
    return found


class _Wanted(BaseModel):
    paths: list[str]
    expand: bool = False


async def _wanted(request: Request) -> tuple[list[str], bool]:
    """The Python client sends a form, the JavaScript one JSON."""
    if request.headers.get("content-type", "").startswith("application/json"):
        told = read_json(_Wanted, await request.body())
        return told.paths, told.expand
    form: FormData = await request.form()
    return [str(path) for path in form.getlist("paths")], str(form.get("expand")).lower() == "true"


@router.post(REPOSITORY + "/paths-info/{revision:path}")
def paths_info(
    kind: Kind,
    of: Repository,
    revision: str,
    person: Reader,
    session: SessionDep,
    wanted: Annotated[tuple[list[str], bool], Depends(_wanted)],
) -> list[dict[str, Any]]:
    paths, expand = wanted
    return named_entries(commit_of(session, person, kind, of, revision), paths, expand=expand)
