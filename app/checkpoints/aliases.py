"""Verbs on aliases: have a word such as `production` stand for one version of a name, or for none.

Whoever fetches a model by its alias gets another one from the next request on, so every move is recorded with both versions.
"""

import re

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.access import Person
from app.checkpoints.queries import aliases_of_name, version_by_alias, version_named
from app.errors import BadInput, Conflict, NotFound
from app.language import gettext as _
from app.models import Audit, CheckpointAlias

USUAL = ("candidate", "production")
MOVED, REMOVED = "checkpoint.alias_moved", "checkpoint.alias_removed"
_WORD = re.compile(r"[a-z][a-z0-9._-]{0,62}")
# What a revision of the hub says already: the newest version, a version, the sum of a manifest.
_TAKEN = re.compile(r"main|newest|v\d+|[0-9a-f]{40}")


def check_alias(alias: str) -> None:
    if not _WORD.fullmatch(alias) or _TAKEN.fullmatch(alias) or ".." in alias:
        raise BadInput(
            _(
                "“%(alias)s” cannot be an alias. Take a word such as production: lower-case letters, digits, . _ and -, a letter first; “main” and words such as v3 mean something already.",
                alias=alias[:80],
            ),
            field="alias",
        )


def point(session: Session, person: Person, name: str, alias: str, version: int) -> CheckpointAlias:
    """Let the alias stand for that version from now on. Raises BadInput, or NotFound for a version that is not there."""
    check_alias(alias)
    lock_name(session, name)
    checkpoint = version_named(session, person, name, version)
    before = session.get(CheckpointAlias, (name, alias))
    if before is not None and version_by_alias(session, person, name, alias) is None:
        raise Conflict(
            _("“%(alias)s” stands for a version that your token does not reach.", alias=alias), field="alias"
        )
    if before is not None and before.version == version:
        return before
    came_from = before.version if before is not None else None
    values = {"version": checkpoint.version, "moved_by": person.id, "moved_at": func.now()}
    written = insert(CheckpointAlias).values(name=name, alias=alias, **values)
    written = written.on_conflict_do_update(index_elements=["name", "alias"], set_=values)
    found = session.scalars(
        written.returning(CheckpointAlias).execution_options(populate_existing=True),
    ).one()
    detail = {"alias": alias, "from": came_from, "to": version}
    session.add(Audit(user_id=person.id, action=MOVED, subject=name, detail=detail))
    return found


def remove(session: Session, person: Person, name: str, alias: str) -> None:
    """The alias stands for nothing any more. Raises NotFound when it did not before."""
    lock_name(session, name)
    theirs = aliases_of_name(session, person, name)
    found = next((one for one in theirs if one.alias == alias), None)
    if found is None:
        there = ", ".join(one.alias for one in theirs) or _("none")
        words = _("%(name)s has no alias “%(alias)s”; it has: %(there)s.", name=name, alias=alias[:80], there=there)
        raise NotFound(words)
    session.delete(found)
    detail = {"alias": alias, "from": found.version, "to": None}
    session.add(Audit(user_id=person.id, action=REMOVED, subject=name, detail=detail))


def lock_name(session: Session, name: str) -> None:
    """Until the commit: moves and deletions of one name come one after the other, so that no alias is left on nothing."""
    key = func.hashtextextended(f"checkpoint:{name}", 0)
    session.execute(select(func.pg_advisory_xact_lock(key)))
