"""Background work without torch: Celery queue `app`. Every ten seconds the sweep puts right what was dropped.

    celery -A app.jobs worker -Q app -B

Each part is a transaction of its own, so that one that fails holds up no other; two sweeps at once do no harm.
"""

import logging
import subprocess
from collections.abc import Callable

from sqlalchemy.orm import Session

from app import access, idempotency
from app.checkpoints import deletion
from app.db import work_unit
from app.doorbell import celery
from app.people import attempts
from app.projects import tally
from app.publications import leases as publications
from app.publications import push as pushing
from app.queue import service as queue
from app.runs import leases, preflight
from app.s3_uploads import end_old_uploads
from app.webhooks import counting, delivering, ownership

PARTS: tuple[Callable[[Session], int], ...] = (
    queue.expire,
    tally.add_up,
    leases.take_back_runs,
    leases.ring_for_waiting_runs,
    leases.forget_gone_trainers,
    leases.forget_old_states,
    preflight.take_back_preflights,
    preflight.ring_for_waiting_preflights,
    preflight.forget_old_preflights,
    access.forget_ended_sessions,
    idempotency.forget_old,
    attempts.forget_old,
    deletion.forget_files,
    ownership.switch_off_orphans,
    counting.tell_counts,
    delivering.ring_for_due,
    delivering.forget_old,
    publications.take_back,
    publications.ring_for_waiting,
    publications.forget_secrets,
    end_old_uploads,
)
_children: "list[subprocess.Popen[bytes]]" = []
_log = logging.getLogger(__name__)


@celery.task(name="app.sweep")
def sweep() -> None:
    for part in PARTS:
        try:
            while rows := do(part):
                _log.info("%s: %s rows", part.__qualname__, rows)
        except Exception:  # noqa: BLE001 -- the other parts must not wait for whoever mends this one
            _log.exception("the sweep could not do its part %s; the next one tries again", part.__qualname__)


@celery.task(name=publications.JOB)
def push(publication_id: int) -> None:
    """Claim the row and leave the rest to a process of its own: this worker's one slot is for short things."""
    _children[:] = [child for child in _children if child.poll() is None]
    fence = publications.claim(publication_id)
    if fence is not None:
        _children.append(pushing.start(publication_id, fence))


def do(part: Callable[[Session], int]) -> int:
    """One portion of a part; 0 when nothing is left."""
    with work_unit() as session:
        return part(session)


@celery.task(name="webhooks.deliver")
def deliver(row_id: int) -> None:
    """Send a portion of what is due, and ring again while there is more: the sweep has its turn in between."""
    del row_id  # it only says that there is something
    if delivering.send_due():
        do(delivering.ring_for_due)
