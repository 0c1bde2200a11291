"""Verbs: delete a checkpoint that nothing needs, and take its files out of storage.

What is needed is refused in words that say by what: an alias, a run that is not over, a checkpoint that was trained from it,
a publication under way. The row stays (see `models/checkpoint.py`). The files go after the commit, by the sweep, which goes on where it was
interrupted: a row without files would be a lie, files without a row are litter.
"""

from collections.abc import Sequence

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.access import Person
from app.checkpoints.aliases import lock_name
from app.checkpoints.family import named_by_order, used_by_run
from app.checkpoints.queries import aliases_of, version_named
from app.errors import Conflict
from app.language import gettext as _
from app.models import Audit, Checkpoint, Dataset, Publication, Run
from app.run_states import OVER
from app.storage import storage

DELETED = "checkpoint.deleted"


def delete(session: Session, person: Person, checkpoint: Checkpoint) -> None:
    """Raises Conflict with what needs it, NotFound when it is gone already."""
    lock_name(session, checkpoint.name)
    version_named(session, person, checkpoint.name, checkpoint.version)
    if needed := needed_by(session, person, checkpoint):
        raise Conflict(
            _(
                "%(name)s v%(version)s is needed: %(what)s. Once that has changed, it can be deleted.",
                name=checkpoint.name,
                version=checkpoint.version,
                what="; ".join(needed),
            )
        )
    checkpoint.deleted_at = session.scalar(select(func.now()))
    detail = {"version": checkpoint.version, "sha256": checkpoint.sha256, "run": checkpoint.run_id}
    session.add(Audit(user_id=person.id, action=DELETED, subject=checkpoint.name, detail=detail))


def needed_by(session: Session, person: Person, checkpoint: Checkpoint) -> Sequence[str]:
    """What stands against deleting it, each in words; nothing when it may go."""
    words = aliases_of(session, [checkpoint]).get(checkpoint.id, ())
    found = [_("it is “%(alias)s”", alias=alias) for alias in words]
    not_over = and_(Run.state.not_in(OVER), or_(used_by_run(checkpoint), named_by_order(session, checkpoint)))
    waiting = select(Run.id).where(not_over, Run.id != checkpoint.run_id).order_by(Run.id).limit(5)
    found += [
        _("run %(number)s, which is not over, starts from it or asks it", number=one)
        for one in session.scalars(waiting)
    ]
    made = (
        select(Checkpoint, Dataset.project_id)
        .join(Run, Run.id == Checkpoint.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .where(used_by_run(checkpoint), Checkpoint.deleted_at.is_(None))
        .order_by(Checkpoint.id)
        .limit(5)
    )
    going = select(Publication.place).where(
        Publication.checkpoint_id == checkpoint.id, Publication.state.in_(("queued", "running", "cancelling"))
    )
    found += [_("it is on its way to %(place)s", place=place) for place in session.scalars(going)]
    return found + [
        _("%(name)s v%(version)s was made from it", name=one.name, version=one.version)
        if person.reaches(project_id)
        else _("a model of another project was made from it")
        for one, project_id in session.execute(made)
    ]


def forget_files(session: Session) -> int:
    """The files of one deleted checkpoint at a time; says how many. For the sweep."""
    waiting = (
        select(Checkpoint)
        .where(Checkpoint.deleted_at.is_not(None), func.jsonb_array_length(Checkpoint.files) > 0)
        .order_by(Checkpoint.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    checkpoint = session.scalars(waiting).one_or_none()
    if checkpoint is None:
        return 0
    storage().delete_all(checkpoint.prefix)
    checkpoint.files = []
    return 1
