"""What the Hub says of a repository at a commit, a person or a list of versions: the JSON that its clients read."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.access import Person
from app.hub.commits import Commit, moment, sibling
from app.hub.repositories import Version
from app.models.checkpoint import HUB_OWNER

ALWAYS_TOLD = frozenset({"_id", "id"})


def described(
    commit: Commit, *, detailed: bool = False, expand: Sequence[str] = (), downloads: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """A repository at a commit; only the properties in `expand`, if there are any. `detailed` tells the files' sizes,
    `downloads` are those of late and all.
    """
    made_at = moment(commit.created_at)
    told: dict[str, Any] = {
        "_id": f"{commit.kind}-{commit.row_id}",
        "id": commit.repository,
        "author": HUB_OWNER,
        "sha": commit.id,
        "createdAt": made_at,
        "lastModified": made_at,
        "private": True,
        "gated": False,
        "disabled": False,
        "likes": 0,
        "downloads": downloads[0],
        "downloadsAllTime": downloads[1],
        "siblings": [sibling(file, detailed=detailed) for file in commit.files],
        "usedStorage": sum(file.size for file in commit.files),
        "tags": ["tiebreak"],
    }
    if commit.kind == "model":
        told |= {"modelId": commit.repository, "library_name": "transformers", "tags": ["tiebreak", "transformers"]}
    return {name: value for name, value in told.items() if not expand or name in ALWAYS_TOLD or name in expand}


def references(branches: Mapping[str, str], versions: Sequence[Version]) -> dict[str, Any]:
    """`main` and aliases are branches, since they move; versions are tags, since they never do."""
    return {
        "branches": [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit} for name, commit in branches.items()
        ],
        "tags": [
            {"name": f"v{one.version}", "ref": f"refs/tags/v{one.version}", "targetCommit": one.commit}
            for one in versions
        ],
        "converts": [],
        "pullRequests": [],
    }


def history(versions: Sequence[Version]) -> list[dict[str, Any]]:
    """The versions as commits, the newest first."""
    return [
        {
            "id": one.commit,
            "title": f"v{one.version}",
            "message": "",
            "authors": [{"user": HUB_OWNER}],
            "date": moment(one.created_at),
        }
        for one in versions
    ]


def introduced(person: Person) -> dict[str, Any]:
    """Who a token belongs to, and that they read what is in `tiebreak`."""
    scopes = sorted(person.scopes or ())
    return {
        "type": "user",
        "id": str(person.id),
        "name": person.name,
        "fullname": person.name,
        "orgs": [{"type": "org", "id": HUB_OWNER, "name": HUB_OWNER, "fullname": "Tiebreak", "roleInOrg": "read"}],
        "auth": {"type": "access_token", "accessToken": {"displayName": ", ".join(scopes), "role": "read"}},
    }
