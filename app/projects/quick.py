"""The project that a key press is about, and who pressed it: without SQLAlchemy's part, so no session keeps what changes in it."""

from collections.abc import Mapping
from typing import Any, LiteralString

from fastapi import Request

from app.access import COOKIE, PERSON_OF_COOKIE, Person, admit, hashed
from app.db import Unit, fetch
from app.models import Project
from app.projects.queries import no_such_project

# By name: a statement that was prepared is not answered any more once `*` means more columns than it did.
_COLUMNS: LiteralString = ", ".join(map(str, Project.__table__.columns))
_TO_READ: LiteralString = f"""
    SELECT {_COLUMNS} FROM project WHERE slug = %(slug)s AND (%(sees_all)s OR EXISTS (
        SELECT FROM membership WHERE membership.project_id = project.id AND membership.user_id = %(person_id)s))
"""  # noqa: S608 -- what is put together here are constants
_WITH_WHO: LiteralString = f"""
    SELECT who.id AS person_id, who.name AS person_name, who.role, who.language, who.leads, {_COLUMNS}
    FROM ({PERSON_OF_COOKIE}) AS who LEFT JOIN project ON slug = %(slug)s AND (who.role = 'admin' OR EXISTS (
        SELECT FROM membership WHERE membership.project_id = project.id AND membership.user_id = who.id))
"""  # noqa: S608 -- what is put together here are constants


def project_to_read(unit: Unit, person: Person, slug: str) -> Project:
    """What `queries.project_for` finds."""
    asked = {"slug": _askable(slug), "sees_all": person.is_admin, "person_id": person.id}
    for row in fetch(unit, _TO_READ, asked):
        if person.reaches(row["id"]):
            return _project(row)
    raise no_such_project(slug)


def browser_and_project(request: Request, unit: Unit, slug: str) -> tuple[Person, Project]:
    """What `access.browser` and then `queries.project_for` find, in one statement."""
    asked = {"token_hash": hashed(request.cookies.get(COOKIE, "")), "slug": _askable(slug)}
    rows = fetch(unit, _WITH_WHO, asked)
    person = admit(request, _person(rows[0]) if rows else None)
    if rows[0]["id"] is None:
        raise no_such_project(slug)
    return person, _project(rows[0])


def _askable(slug: str) -> str:
    """Postgres refuses a NUL even in a question, and an address may hold one. No project's slug is empty."""
    return "" if "\0" in slug else slug


def _person(row: dict[str, Any]) -> Person:
    """Takes what is theirs out of the row."""
    taken = {name: row.pop(name) for name in ("role", "language", "leads")}
    return Person(row.pop("person_id"), row.pop("person_name"), **taken)


def _project(row: Mapping[str, Any]) -> Project:
    """As SQLAlchemy leaves an object that it has loaded, but for the record of changes that a session needs."""
    project = Project()
    project.__dict__.update(row)
    return project
