"""Items that are reserved for somebody who cannot judge them: they left, were shut out, or have had their turn at it.

Nothing gives such an item to others by itself: that one person was asked may be the point, and somebody who is shut out
today may be let in again tomorrow. But it would wait for ever and nobody would know. So whoever manages the project is
told how many there are, finds them in the list of items, and frees them all at once.
"""

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.access import Person
from app.models import Assignment, Audit, Item, Membership, Project, User


def is_stuck() -> ColumnElement[bool]:
    """Of an item that somebody should still judge; a slot that another person gives back on it may be left as well."""
    is_member = exists().where(Membership.user_id == User.id, Membership.project_id == Item.project_id)
    may_judge = exists().where(
        User.id == Item.reserved_for,
        User.disabled_at.is_(None),
        or_(User.role == "admin", is_member.correlate(User, Item)),
    )
    had_their_turn = exists().where(
        Assignment.item_id == Item.id, Assignment.user_id == Item.reserved_for, Assignment.state == "done"
    )
    waits = and_(Item.open_slots > 0, ~Item.set_aside, Item.reserved_for.is_not(None))  # as `ix_item_reserved` says it
    return and_(waits, or_(~may_judge.correlate(Item), had_their_turn.correlate(Item)))


def stuck_items(session: Session, project: Project) -> int:
    return session.scalar(select(func.count()).where(Item.project_id == project.id, is_stuck())) or 0


def free(session: Session, person: Person, project: Project) -> int:
    """Give them to everybody, as often as the project wants; returns how many. The caller has seen to it that `person` may.

    Items that somebody holds at this moment are left for the next time: an import may hold thousands for minutes.
    """
    stuck = (
        select(Item.id)
        .where(Item.project_id == project.id, is_stuck())
        .order_by(Item.id)
        .with_for_update(skip_locked=True, key_share=True, of=Item)
        .cte("stuck")
    )
    taken = Item.wanted - Item.open_slots
    slots = func.greatest(0, project.judgments_per_item - taken)
    freed = session.execute(
        update(Item)
        .where(Item.id == stuck.c.id)
        .values(reserved_for=None, wanted=taken + slots, open_slots=slots)
        .returning(Item.id)
        .execution_options(synchronize_session=False)
    ).all()
    if freed:
        session.add(Audit(user_id=person.id, action="items.freed", subject=project.slug, detail={"items": len(freed)}))
    return len(freed)
