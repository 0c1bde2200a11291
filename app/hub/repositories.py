"""Questions about repositories: which there are for whoever asks, and which version a revision means.

A repository is the name that versions share, `tiebreak/<name>`. Its revisions are `main`, the newest version; `v3`; an alias
of a checkpoint, such as `production`; and the first forty hexadecimal digits of a version's SHA-256. Checkpoints are there for admins, datasets for those who manage
their project, as in the API; for everybody else there is nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Text, cast, false, func, select
from sqlalchemy.orm import Session

from app.access import Person
from app.checkpoints.queries import aliases_of_name, of_theirs, version_by_alias
from app.hub.commits import CARD, COMMIT_DIGITS, Commit, Kind
from app.hub.dataset_card import card
from app.hub.refusals import no_repository, no_revision
from app.models import Checkpoint, Dataset, Project
from app.models.checkpoint import HUB_OWNER
from app.projects.queries import managed
from app.storage import Stored

MAIN = "main"
_VERSION = re.compile(r"v([1-9]\d{0,17})")
_COMMIT = re.compile(rf"[0-9a-f]{{{COMMIT_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a repository, as far as its references need it."""

    version: int
    sha256: str
    created_at: datetime

    @property
    def commit(self) -> str:
        return self.sha256[:COMMIT_DIGITS]


def commit_of(session: Session, person: Person, kind: Kind, repository: str, revision: str = MAIN) -> Commit:
    """Raises the Hub's own refusals: no such repository (or not theirs), no such revision."""
    namespace, _, name = repository.rpartition("/")
    known = _rows(person, kind, name) if namespace == HUB_OWNER else None
    newest = None if known is None else _newest(session, kind, known)
    if known is None or newest is None:
        raise no_repository(asked_by_somebody=True)
    row = newest if revision == MAIN else _named(session, kind, known, revision)
    if row is None and kind == "model":
        row = version_by_alias(session, person, name, revision)
    if row is None:
        raise no_revision(revision)
    return _commit(session, row)


def row_of(session: Session, commit: Commit) -> Checkpoint | Dataset:
    """What the commit was made of."""
    if commit.kind == "model":
        return session.get_one(Checkpoint, commit.row_id)
    return session.get_one(Dataset, commit.row_id)


def versions_of(session: Session, person: Person, kind: Kind, repository: str) -> Sequence[Version]:
    """Newest first. Raises the Hub's refusal for no such repository."""
    namespace, _, name = repository.rpartition("/")
    table = _table(kind)
    rows = _rows(person, kind, name).with_only_columns(table.version, table.sha256, table.created_at)
    found = session.execute(rows.order_by(table.version.desc())).all() if namespace == HUB_OWNER else []
    if not found:
        raise no_repository(asked_by_somebody=True)
    return [Version(*row) for row in found]


def branches_of(
    session: Session, person: Person, kind: Kind, repository: str, versions: Sequence[Version]
) -> Mapping[str, str]:
    """What moves from one commit to another, `main` and the aliases, each with the commit it stands for now."""
    commits = {one.version: one.commit for one in versions}
    found = aliases_of_name(session, person, repository.rpartition("/")[2]) if kind == "model" else []
    return {MAIN: versions[0].commit} | {one.alias: commits[one.version] for one in found if one.version in commits}


def newest_commits(session: Session, person: Person, kind: Kind, search: str, limit: int) -> Sequence[Commit]:
    """The newest version of each repository that they may see and whose name has `search` in it, newest first."""
    table = _table(kind)
    mine = _visible(person, kind).where(table.name.icontains(search, autoescape=True))
    newest = mine.with_only_columns(func.max(table.id)).group_by(table.name)
    rows: Select[Any] = select(table).where(table.id.in_(newest)).order_by(table.id.desc()).limit(limit)
    return [_commit(session, row) for row in session.scalars(rows)]


def _table(kind: Kind) -> type[Checkpoint] | type[Dataset]:
    return Checkpoint if kind == "model" else Dataset


def _visible(person: Person, kind: Kind) -> Select[Any]:
    if kind == "dataset":
        return managed(person).join(Dataset, Dataset.project_id == Project.id).with_only_columns(Dataset)
    return of_theirs(person) if person.is_admin else of_theirs(person).where(false())


def _rows(person: Person, kind: Kind, name: str) -> Select[Any]:
    return _visible(person, kind).where(_table(kind).name == name)


def _newest(session: Session, kind: Kind, rows: Select[Any]) -> Any:
    return session.scalars(rows.order_by(_table(kind).version.desc()).limit(1)).one_or_none()


def _named(session: Session, kind: Kind, rows: Select[Any], revision: str) -> Any:
    table = _table(kind)
    if numbered := _VERSION.fullmatch(revision):
        return session.scalars(rows.where(table.version == int(numbered.group(1)))).one_or_none()
    if _COMMIT.fullmatch(revision):
        same = rows.where(func.left(cast(table.sha256, Text), COMMIT_DIGITS) == revision)
        return session.scalars(same.order_by(table.version).limit(1)).one_or_none()
    return None


def _commit(session: Session, row: Checkpoint | Dataset) -> Commit:
    """Versions of one name with the same SHA-256 are one commit, as two tags may be: the first of them says its card."""
    made: dict[str, bytes] = {}
    if isinstance(row, Dataset):
        first = select(Dataset).where(Dataset.name == row.name, Dataset.sha256 == row.sha256)
        row = session.scalars(first.order_by(Dataset.version).limit(1)).one()
        if all(file["path"] != CARD for file in row.files):
            made[CARD] = card(row)
    return Commit(
        kind="dataset" if isinstance(row, Dataset) else "model",
        row_id=row.id,
        name=row.name,
        version=row.version,
        sha256=row.sha256,
        created_at=row.created_at,
        prefix=row.prefix,
        stored=[Stored(file["path"], file["size"], file["sha256"]) for file in row.files],
        made=made,
    )
