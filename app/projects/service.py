"""Verbs on projects: make one, change its settings, say who takes part."""

import re
import unicodedata

from sqlalchemy import case, delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import BadInput, Conflict, NotFound
from app.kinds import kind_named
from app.models import Audit, Item, Membership, Project, User
from app.people import service as people

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
RESERVED = frozenset({"new"})  # an address of our own
LONGEST_NAME = 200
LONGEST_GUIDELINES = 50_000
MOST_JUDGMENTS = 1000
LONGEST_LEASE = 10_080


def create_project(
    session: Session,
    person: Person,
    *,
    slug: str,
    name: str,
    kind: str,
    guidelines: str = "",
    judgments_per_item: int = 1,
    lease_minutes: int = 30,
) -> Project:
    """Raises BadInput with the field that is wrong, Conflict for a slug that is taken."""
    if _SLUG.fullmatch(slug) is None or slug in RESERVED:
        raise BadInput(
            "the short name goes into addresses: 1 to 63 small letters, digits and hyphens, beginning with a letter or "
            f"digit, and not “{'”, “'.join(RESERVED)}”",
            field="slug",
        )
    values = {
        "slug": slug,
        "kind": kind_named(kind).NAME,
        **_settings(name, guidelines, judgments_per_item, lease_minutes),
    }
    added = session.scalars(insert(Project).values(values).on_conflict_do_nothing().returning(Project)).one_or_none()
    if added is None:
        raise Conflict(f"there is a project “{slug}” already; choose another short name", field="slug")
    session.add(Audit(user_id=person.id, action="project.created", subject=slug, detail={"kind": kind}))
    return added


def slug_of(name: str) -> str:
    """A short name made from a name, for those who give none; empty when it has no letters that would do."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")


def _settings(name: str, guidelines: str, judgments_per_item: int, lease_minutes: int) -> dict[str, str | int]:
    """What may be changed later too, as it is stored."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadInput(f"a project needs a name of at most {LONGEST_NAME} characters", field="name")
    guidelines = guidelines.replace("\r\n", "\n").strip()
    if len(guidelines) > LONGEST_GUIDELINES:
        raise BadInput(
            f"the guidelines have {len(guidelines):,} characters; {LONGEST_GUIDELINES:,} are allowed",
            field="guidelines",
        )
    for field, words in (("name", name), ("guidelines", guidelines)):
        if re.search("[\0\ud800-\udfff]", words):
            raise BadInput(
                f"the {field} holds a character that cannot be stored, such as NUL; take it out", field=field
            )
    if not 1 <= judgments_per_item <= MOST_JUDGMENTS:
        raise BadInput(f"judgments per item are 1 to {MOST_JUDGMENTS}", field="judgments_per_item")
    if not 1 <= lease_minutes <= LONGEST_LEASE:
        raise BadInput(f"a lease is 1 to {LONGEST_LEASE} minutes (a week) long", field="lease_minutes")
    return {
        "name": name,
        "guidelines": guidelines,
        "judgments_per_item": judgments_per_item,
        "lease_minutes": lease_minutes,
    }


def change_settings(
    session: Session,
    person: Person,
    project: Project,
    *,
    name: str,
    guidelines: str,
    judgments_per_item: int,
    lease_minutes: int,
) -> None:
    """Items follow the number of judgments wanted; what is judged or lent out already stays."""
    values = _settings(name, guidelines, judgments_per_item, lease_minutes)
    changed = {field: value for field, value in values.items() if getattr(project, field) != value}
    if not changed:
        return
    for field, value in changed.items():
        setattr(project, field, value)
    if "judgments_per_item" in changed:
        _set_wanted(session, project, judgments_per_item)
    session.add(
        Audit(user_id=person.id, action="project.changed", subject=project.slug, detail={"changed": [*changed]})
    )


def _set_wanted(session: Session, project: Project, wanted: int) -> None:
    """Raise every item to `wanted`, or lower it as far as its open slots go: open = wanted − leased − counted holds."""
    change = case(
        (Item.wanted < wanted, wanted - Item.wanted), else_=-func.least(Item.open_slots, Item.wanted - wanted)
    )
    session.execute(
        update(Item)
        .where(Item.project_id == project.id, Item.wanted != wanted)
        .values(wanted=Item.wanted + change, open_slots=Item.open_slots + change)
    )


def add_member(session: Session, person: Person, project: Project, email: str) -> User:
    """Let somebody with an account judge. Admins see every project without."""
    user = people.user_by_email(session, email)
    people.join(session, user.id, project.id)
    session.add(Audit(user_id=person.id, action="member.added", subject=project.slug, detail={"user": user.id}))
    return user


def remove_member(session: Session, person: Person, project: Project, user_id: int) -> None:
    """Their judgments stay."""
    gone = delete(Membership).where(Membership.project_id == project.id, Membership.user_id == user_id)
    if session.execute(gone.returning(Membership.user_id)).scalar() is None:
        raise NotFound("this person is not a member of the project")
    session.add(Audit(user_id=person.id, action="member.removed", subject=project.slug, detail={"user": user_id}))
