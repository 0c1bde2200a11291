"""Verbs on runs that were ordered: cancel, resume, extend. Each is one conditional statement, whoever else wants something.

A run goes on from the last state that was kept of it (`worker/keep.py`), on whichever trainer takes it. One that is extended
goes on after its last step, with the rates that a run of that length has there, and publishes one more version.
"""

from typing import Any

from sqlalchemy import Update, select
from sqlalchemy.orm import Session

from app.access import Person
from app.doorbell import ring
from app.errors import BadInput, Conflict
from app.language import gettext as _
from app.models import Audit, Run, RunKeep
from app.run_states import UNDER_WAY, move
from app.runs.queries import announced


def cancel_run(session: Session, person: Person, run: Run) -> Run:
    """A queued run is cancelled at once; a running one is asked to end, which its trainer does at its next step."""
    asked = move({"queued": "cancelled", "claimed": "cancelling", "running": "cancelling"})
    if _moved(session, run, asked):
        _note(session, person, run, "run.cancelled")
    elif run.state not in {"cancelling", "cancelled"}:
        raise Conflict(_("This run has %(state)s already; there is nothing left to cancel.", state=run.state))
    return run


def resume_run(session: Session, person: Person, run: Run) -> Run:
    """A run that failed or was cancelled waits for a trainer again. Raises Conflict for any other."""
    if not _moved(session, run, move({"cancelled": "queued", "failed": "queued"}).values(in_vain=0)):
        if run.state in UNDER_WAY:
            raise Conflict(
                _("This run is under way, so there is nothing to resume: its state is %(state)s.", state=run.state)
            )
        raise Conflict(_("This run has finished. Extend it by more epochs or steps instead."))
    ring(session, "runs.train", run.id)
    _note(session, person, run, "run.resumed")
    return run


def extend_run(
    session: Session, person: Person, run: Run, *, epochs: int | None = None, steps: int | None = None
) -> Run:
    """A finished run goes on for so many more epochs or steps. Raises BadInput, or Conflict where it cannot go on."""
    settings = longer(session, run, epochs, steps)
    if session.scalar(select(RunKeep.id).where(RunKeep.run_id == run.id).limit(1)) is None and run.state == "finished":
        raise Conflict(
            _("The last state of this run is no longer kept, so it cannot go on. Start a new run from its checkpoint.")
        )
    if not _moved(session, run, move({"finished": "queued"}).values(settings=settings, in_vain=0)):
        raise Conflict(
            _("Only a run that has finished can be extended; the state of this one is %(state)s.", state=run.state)
        )
    ring(session, "runs.train", run.id)
    _note(session, person, run, "run.extended", epochs=epochs, steps=steps)
    return run


def longer(session: Session, run: Run, epochs: int | None, steps: int | None) -> dict[str, Any]:
    """The run's settings with so many more epochs or steps, as far as its method allows them. Raises BadInput."""
    if (epochs is None) == (steps is None):
        raise BadInput(_("Say by how many epochs or by how many steps, one of the two."), field="epochs")
    field, more = ("epochs", epochs) if steps is None else ("steps", steps)
    if not more or more < 1:
        raise BadInput(_("The run can go on for one more or for many, but not for fewer."), field=field)
    if steps is not None:
        added = {"max_steps": (run.settings.get("max_steps") or run.step) + steps}
    elif counts_steps(run):
        raise BadInput(_("This run counts steps, not epochs: say by how many steps."), field="epochs")
    else:
        added = {"epochs": run.settings.get("epochs", 1) + more}
    method = announced(session).known.get(run.method)
    if method is not None:
        method.read_settings(added)
    return run.settings | added


def counts_steps(run: Run) -> bool:
    """Whether its length was ordered in steps rather than in epochs."""
    return bool(run.settings.get("max_steps"))


def _moved(session: Session, run: Run, statement: Update) -> bool:
    """Whether it was in one of the states that the statement starts from; the row is as it is now in any case."""
    mine = statement.where(Run.id == run.id).returning(Run.id).execution_options(synchronize_session=False)
    found = session.execute(mine).first()
    session.refresh(run)
    return found is not None


def _note(session: Session, person: Person, run: Run, action: str, **told: int | None) -> None:
    detail = {"run": run.id} | {name: value for name, value in told.items() if value is not None}
    session.add(Audit(user_id=person.id, action=action, subject=run.checkpoint_name, detail=detail))
