"""Verbs on projects: make one, change its settings, say who takes part."""

import re
import unicodedata
from dataclasses import replace
from typing import Any

from sqlalchemy import case, delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import BadInput, Conflict, NotFound
from app.kinds import kind_named
from app.language import gettext as _
from app.models import Audit, Item, Membership, Project, User
from app.models.membership import ROLES
from app.people import service as people
from app.projects.settings import ProjectSettings, checked, consequences, settings_of

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
RESERVED = frozenset({"new"})  # an address of our own


def create_project(session: Session, person: Person, *, slug: str, kind: str, **given: Any) -> Project:
    """`given` are fields of `ProjectSettings`, of which only the name must be there.

    Raises BadInput with the field that is wrong, Conflict for a slug that is taken.
    """
    if _SLUG.fullmatch(slug) is None or slug in RESERVED:
        raise BadInput(
            _(
                "the short name goes into addresses: 1 to 63 small letters, digits and hyphens, beginning with a letter or digit, and not “%(names)s”",
                names="”, “".join(RESERVED),
            ),
            field="slug",
        )
    settings = checked(ProjectSettings(**given))
    values = {"slug": slug, "kind": kind_named(kind).NAME, **settings.as_columns()}
    added = session.scalars(insert(Project).values(values).on_conflict_do_nothing().returning(Project)).one_or_none()
    if added is None:
        raise Conflict(_("there is a project “%(slug)s” already; choose another short name", slug=slug), field="slug")
    session.add(Audit(user_id=person.id, action="project.created", subject=slug, detail={"kind": kind}))
    return added


def slug_of(name: str) -> str:
    """A short name made from a name, for those who give none; empty when it has no letters that would do."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")


def change_settings(session: Session, person: Person, project: Project, **given: Any) -> list[str]:
    """Change the settings that are given; says what that means for work under way.

    Items follow the number of judgments wanted; what is judged or lent out already stays. The row is locked, so that of
    two who change it at once the second one sees what the first one did.
    """
    session.refresh(project, with_for_update={"key_share": True})
    before = settings_of(project)
    after = checked(replace(before, **given))
    old, new = before.as_columns(), after.as_columns()
    changed = {field: [old[field], value] for field, value in new.items() if old[field] != value}
    if not changed:
        return []
    for field, (_old, value) in changed.items():
        setattr(project, field, value)
    if "judgments_per_item" in changed:
        _set_wanted(session, project, after.judgments_per_item)
    told = {field: values for field, values in changed.items() if field != "guidelines"}  # too long for a list
    detail = {"changed": [*changed], "values": told}
    session.add(Audit(user_id=person.id, action="project.changed", subject=project.slug, detail=detail))
    return consequences(before, after)


def _set_wanted(session: Session, project: Project, wanted: int) -> None:
    """Raise every item to `wanted`, or lower it as far as its open slots go: open = wanted − leased − counted holds.

    Items with a known answer and repeats have no slots, and what is reserved for one person wants theirs alone.
    """
    change = case(
        (Item.wanted < wanted, wanted - Item.wanted), else_=-func.least(Item.open_slots, Item.wanted - wanted)
    )
    ordinary = (Item.project_id == project.id, Item.wanted > 0, Item.reserved_for.is_(None))
    session.execute(
        update(Item)
        .where(*ordinary, Item.wanted != wanted)
        .values(wanted=Item.wanted + change, open_slots=Item.open_slots + change)
    )


def add_member(session: Session, person: Person, project: Project, email: str, role: str = "annotator") -> User:
    """Let somebody with an account judge, or manage. Admins see every project without."""
    user = people.user_by_email(session, email)
    people.join(session, user.id, project.id, _role(role))
    _trace(session, person, "member.added", project, user=user.id, name=user.name, role=role)
    return user


def change_role(session: Session, person: Person, project: Project, user_id: int, role: str) -> User:
    """Make a member an annotator or a manager. Links that a manager has made end with being one."""
    change = update(Membership).where(Membership.project_id == project.id, Membership.user_id == user_id)
    if session.scalar(change.values(role=_role(role)).returning(Membership.user_id)) is None:
        raise NotFound(_("this person is not a member of the project"))
    if role != "manager":
        people.revoke_links_of(session, user_id, project.id)
    user = session.get_one(User, user_id)
    _trace(session, person, "member.role_changed", project, user=user_id, name=user.name, role=role)
    return user


def remove_member(session: Session, person: Person, project: Project, user_id: int) -> User:
    """Their judgments stay; their open turns are given back, and the links they made end."""
    gone = delete(Membership).where(Membership.project_id == project.id, Membership.user_id == user_id)
    if session.scalar(gone.returning(Membership.user_id)) is None:
        raise NotFound(_("this person is not a member of the project"))
    people.end_turns(session, user_id, project.id)
    people.revoke_links_of(session, user_id, project.id)
    user = session.get_one(User, user_id)
    _trace(session, person, "member.removed", project, user=user_id, name=user.name)
    return user


def _role(role: str) -> str:
    if role not in ROLES:
        raise BadInput(_("a member is one of %(roles)s", roles=", ".join(ROLES)), field="role")
    return role


def _trace(session: Session, person: Person, action: str, project: Project, **detail: Any) -> None:
    session.add(Audit(user_id=person.id, action=action, subject=project.slug, detail=detail))
