"""Questions about projects."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import (
    BindParameter,
    ColumnExpressionArgument,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.access import Person, within
from app.db import among
from app.errors import NotAllowed, NotFound
from app.language import gettext as _
from app.models import Assignment, Audit, Dataset, Item, Judgment, Membership, Preference, Project, User
from app.projects import tally


@dataclass(frozen=True, slots=True)
class Counts:
    """`open`: items that somebody may still take. `wanted` and `counted` are judgments: the project is done when the
    second has reached the first. `judgments` holds those beyond the wanted number as well, but no withdrawn ones.

    Gold and repeats are in none of them; what is set aside wants no more than it has.
    """

    items: int = 0
    open: int = 0
    wanted: int = 0
    counted: int = 0
    judgments: int = 0
    tuples: int = 0

    def in_tens(self) -> "Counts":
        """What is left rounded up and what is done rounded down, until it is done.

        Known answers and repeats are in no count. Whoever looks before and after each of their turns would find them by the
        counts that stand still; these move seldom enough.
        """
        if self.counted >= self.wanted:
            return self
        done = {name: getattr(self, name) // 10 * 10 for name in ("counted", "judgments", "tuples")}
        return replace(self, open=min(self.items, -(-self.open // 10) * 10), **done)


def readable(person: Person) -> Select[Project]:
    """The projects that this person may see; every query on projects starts here."""
    statement = select(Project).where(within(person, Project.id))
    return statement if person.is_admin else _joined(statement, person.id)


def _joined(statement: Select[Project], person_id: int | BindParameter[int]) -> Select[Project]:
    return statement.join(Membership, Membership.project_id == Project.id).where(Membership.user_id == person_id)


# Asked by every request about a project: put together once, which otherwise costs more than the database's part.
_BY_SLUG = select(Project).where(Project.slug == bindparam("slug"))
_OWN_BY_SLUG = _joined(_BY_SLUG, bindparam("person_id"))


def project_for(session: Session, person: Person, slug: str) -> Project:
    asked, values = (_BY_SLUG, {}) if person.is_admin else (_OWN_BY_SLUG, {"person_id": person.id})
    # Postgres refuses a NUL even in a question, and an address may hold one
    found = None if "\0" in slug else session.scalars(asked, {"slug": slug, **values}).one_or_none()
    if found is None or not person.reaches(found.id):
        raise no_such_project(slug)
    return found


def no_such_project(slug: str) -> NotFound:
    return NotFound(_("there is no project “%(slug)s” that you may see", slug=slug))


def managed(person: Person) -> Select[Project]:
    """The projects that this person manages: all of them for an admin."""
    return readable(person) if person.is_admin else readable(person).where(Membership.role == "manager")


def manages(session: Session, person: Person, project: Project) -> bool:
    return project.id in managed_among(session, person, [project])


def managed_among(session: Session, person: Person, projects: Sequence[Project]) -> set[int]:
    """The ids of those of these projects that this person manages."""
    ids = [project.id for project in projects]
    return set(session.scalars(managed(person).where(among(Project.id, ids)).with_only_columns(Project.id)))


def counts_for(session: Session, person: Person, projects: Sequence[Project]) -> dict[int, Counts]:
    """By project id, as this person may know them: in tens where they do not manage the project and it tries its judges."""
    numbers, rounded = counts(session, projects), _rounded_for(session, person, projects)
    return {key: one.in_tens() if key in rounded else one for key, one in numbers.items()}


def progress_for(session: Session, person: Person, projects: Sequence[Project]) -> dict[int, tally.Progress]:
    """Less than `counts_for`, and quick in large projects: from what was added up."""
    rounded = _rounded_for(session, person, projects)
    numbers = tally.progress(session, [project.id for project in projects])
    return {key: one.in_tens() if key in rounded else one for key, one in numbers.items()}


def _rounded_for(session: Session, person: Person, projects: Sequence[Project]) -> set[int]:
    ours = managed_among(session, person, projects)
    return {one.id for one in projects if one.id not in ours and (one.gold_share or one.repeat_share)}


def managed_project(session: Session, person: Person, slug: str) -> Project:
    """The one gate for what only a manager may do with a project, in the browser and for programs.

    Raises NotFound for strangers, who are not told that it is there, and NotAllowed for its annotators.
    """
    project = project_for(session, person, slug)
    if not manages(session, person, project):
        raise NotAllowed(_("this is for the managers of the project; ask one of them, or an admin"))
    return project


def managed_projects(session: Session, person: Person) -> Sequence[Project]:
    return session.scalars(managed(person).order_by(Project.slug)).all()


def projects_page(session: Session, person: Person, *, after: int | None, limit: int) -> Sequence[Project]:
    """Newest first, and one more than `limit` if there are more."""
    page = readable(person).order_by(Project.id.desc()).limit(limit + 1)
    return session.scalars(page if after is None else page.where(Project.id < after)).all()


def counts(session: Session, projects: Sequence[Project]) -> dict[int, Counts]:
    """By project id. One pass through each table; `counted` follows from the items' slots (see `queue`)."""
    ids = [project.id for project in projects]
    of_items = session.execute(
        select(
            Item.project_id,
            func.count(),
            func.count().filter(Item.open_slots > 0, ~Item.set_aside),
            func.sum(Item.wanted - case((Item.set_aside, Item.open_slots), else_=0)),
            func.sum(Item.wanted - Item.open_slots),
        )
        .where(among(Item.project_id, ids), Item.wanted > 0)
        .group_by(Item.project_id)
    )
    lent = (
        among(Assignment.project_id, ids),
        Assignment.state == "open",
        Assignment.item_id == Item.id,
        Item.wanted > 0,
    )
    leased = _numbers(session, Assignment.project_id, *lent)
    judgments = judgments_given(session, ids)
    tuples = _numbers(session, Preference.project_id, among(Preference.project_id, ids), Preference.is_current)
    found = {key: [int(number) for number in numbers] for key, *numbers in of_items}
    told = {}
    for key in ids:
        items, open_items, wanted, taken = found.get(key, (0, 0, 0, 0))
        told[key] = Counts(
            items=items,
            open=open_items,
            wanted=wanted,
            counted=taken - leased.get(key, 0),
            judgments=judgments[key],
            tuples=tuples.get(key, 0),
        )
    return told


def judgments_given(session: Session, project_ids: Collection[int]) -> dict[int, int]:
    """By project id: those in force, gold and repeats left out."""
    judged = (among(Judgment.project_id, project_ids), Judgment.is_current, ~Judgment.withdrawn)
    given = _numbers(session, Judgment.project_id, *judged)
    slotless = or_(Item.gold.is_not(None), Item.repeat_of.is_not(None))
    beside = _numbers(
        session,
        Judgment.project_id,
        *judged,
        among(Item.project_id, project_ids),
        Judgment.item_id == Item.id,
        slotless,
    )
    return {key: given.get(key, 0) - beside.get(key, 0) for key in project_ids}


def _numbers(
    session: Session, project_id: InstrumentedAttribute[int], *conditions: ColumnExpressionArgument[bool]
) -> dict[int, int]:
    """How many rows there are, by project."""
    rows = session.execute(select(project_id, func.count()).where(*conditions).group_by(project_id))
    return {key: number for key, number in rows}  # noqa: C416 -- a row is no pair to mypy


def members(session: Session, project: Project) -> Sequence[tuple[User, Membership]]:
    """Who takes part besides the admins; managers come first."""
    rows = session.execute(_members(project).order_by(Membership.role.desc(), User.name, User.id))
    return [(user, membership) for user, membership in rows]


def members_page(
    session: Session, project: Project, *, after: int | None, limit: int
) -> Sequence[tuple[User, Membership]]:
    """The same by number, and one more than `limit` if there are more."""
    rows = session.execute(_members(project).where(User.id > (after or 0)).order_by(User.id).limit(limit + 1))
    return [(user, membership) for user, membership in rows]


def member(session: Session, project: Project, user_id: int) -> tuple[User, Membership]:
    """Somebody who takes part, as the database has it now."""
    user, membership = session.execute(
        _members(project).where(User.id == user_id).execution_options(populate_existing=True)
    ).one()
    return user, membership


def _members(project: Project) -> Select[User, Membership]:
    return (
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.project_id == project.id)
    )


ACTIONS = (
    "project.created",
    "project.changed",
    "member.added",
    "member.role_changed",
    "member.removed",
    "invitation.made",
    "invitation.revoked",
    "invitation.accepted",
    "items.imported",
    "items.freed",
    "item.set_aside",
    "item.opened_again",
    "item.priority_set",
    "item.reserved",
    "item.unreserved",
    "item.made_gold",
    "item.made_ordinary",
)


def history(session: Session, project: Project, *, after: int | None, limit: int) -> Sequence[tuple[Audit, str | None]]:
    """What was done to a project and by whom, newest first, and one more than `limit` if there are more.

    Actions are named since others, on tokens say, have subjects that anybody chooses. A dataset's subject is its own name.
    """
    frozen = select(Dataset.name + " v" + cast(Dataset.version, Text)).where(Dataset.project_id == project.id)
    ours = or_(
        and_(Audit.subject == project.slug, or_(Audit.action.in_(ACTIONS), Audit.action.startswith("webhook."))),
        and_(Audit.subject.in_(frozen), Audit.action == "dataset.frozen"),
    )
    statement = select(Audit, User.name).outerjoin(User, User.id == Audit.user_id).where(ours)
    if after is not None:
        statement = statement.where(Audit.id < after)
    rows = session.execute(statement.order_by(Audit.id.desc()).limit(limit + 1))
    return [(audit, name) for audit, name in rows]


def datasets_of(session: Session, project: Project) -> Sequence[Dataset]:
    """The newest twenty."""
    return session.scalars(
        select(Dataset).where(Dataset.project_id == project.id).order_by(Dataset.id.desc()).limit(20)
    ).all()
