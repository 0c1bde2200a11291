"""Verbs on runs that were ordered: cancel one. Each is one conditional statement, whoever else wants something of the run."""

from sqlalchemy import Update
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import Conflict
from app.language import gettext as _
from app.models import Audit, Run
from app.run_states import move


def cancel_run(session: Session, person: Person, run: Run) -> Run:
    """A queued run is cancelled at once; a running one is asked to end, which its trainer does at its next step."""
    asked = move({"queued": "cancelled", "claimed": "cancelling", "running": "cancelling"})
    if _moved(session, run, asked):
        _note(session, person, run, "run.cancelled")
    elif run.state not in {"cancelling", "cancelled"}:
        raise Conflict(_("This run has %(state)s already; there is nothing left to cancel.", state=run.state))
    return run


def _moved(session: Session, run: Run, statement: Update) -> bool:
    """Whether it was in one of the states that the statement starts from; the row is as it is now in any case."""
    mine = statement.where(Run.id == run.id).returning(Run.id).execution_options(synchronize_session=False)
    found = session.execute(mine).first()
    session.refresh(run)
    return found is not None


def _note(session: Session, person: Person, run: Run, action: str) -> None:
    session.add(Audit(user_id=person.id, action=action, subject=run.checkpoint_name, detail={"run": run.id}))
