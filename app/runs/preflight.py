"""Asking about a run before it is ordered: the verbs, and what the sweep does. `worker/preflight.py` answers."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import case, delete, func, null, select, update
from sqlalchemy.orm import Session

from app.access import Person
from app.doorbell import ring, ring_again
from app.errors import NotFound
from app.language import gettext as _
from app.models import Dataset, Preflight
from app.models.preflight import LONGEST_S, MAX_ATTEMPTS
from app.runs.base_model import STARTER
from app.runs.service import checked

KEPT_DAYS = 7
GONE = "The worker that looked at this went away twice: it was switched off, or had no memory left."
OVER = frozenset({"answered", "refused", "failed"})


def ask(
    session: Session,
    person: Person,
    *,
    method: str,
    dataset: Dataset,
    base_model: str = STARTER,
    settings: Mapping[str, Any] | None = None,
) -> Preflight:
    """Have a trainer look at a run as it would be ordered. Raises BadInput or NoTrainer, as ordering it would."""
    order = checked(session, person, method=method, dataset=dataset, base_model=base_model, settings=settings)
    asked = Preflight(
        method=method,
        settings=order.settings,
        dataset_id=dataset.id,
        base_model=order.base_model,
        created_by=person.id,
    )
    session.add(asked)
    session.flush()  # its id goes through the doorbell
    ring(session, "runs.preflight", asked.id)
    return asked


def preflight_by_id(session: Session, person: Person, preflight_id: int) -> Preflight:
    """Raises NotFound also for what is beyond the bounds of a token."""
    found = session.get(Preflight, preflight_id)
    if found is None or not person.reaches(session.get_one(Dataset, found.dataset_id).project_id):
        raise NotFound(
            _("There is no preflight %(id)s; they are kept for %(days)s days.", id=preflight_id, days=KEPT_DAYS)
        )
    return found


def take_back_preflights(session: Session) -> int:
    """Those whose worker is gone: a child is ended by its worker long before this."""
    was_last = Preflight.attempt >= MAX_ATTEMPTS
    taken_back = session.execute(
        update(Preflight)
        .where(Preflight.state == "running", Preflight.started_at < func.now() - timedelta(seconds=2 * LONGEST_S))
        .values(
            state=case((was_last, "failed"), else_="queued"),
            error=case((was_last, GONE), else_=null()),
            finished_at=case((was_last, func.now()), else_=null()),
            stage="",
        )
        .returning(Preflight.id)
    ).all()
    return len(taken_back)


def ring_for_waiting_preflights(session: Session) -> int:
    """Oldest first, once in each sweep; the claim makes one ring too many harmless."""
    ring_again(
        session,
        "runs.preflight",
        session.scalars(select(Preflight.id).where(Preflight.state == "queued").order_by(Preflight.id)),
    )
    return 0


def forget_old_preflights(session: Session) -> int:
    """What a trainer said about a dataset and a model a week ago, beside what else was at work then, is no news."""
    old = delete(Preflight).where(Preflight.created_at < func.now() - timedelta(days=KEPT_DAYS)).returning(Preflight.id)
    return len(session.execute(old).all())
