"""The trainer's Celery jobs, and what its worker does when it starts and stops. Nothing here loads torch.

    celery -A worker.main worker -Q train         hours of training: TRAIN_SLOTS runs at once, each on its GPUs (`devices.py`)
    celery -A worker.main worker -Q quick -c 1    what people wait for: it never stands behind a training

A training is a child process of the pool's process (`supervise.py`). When the worker is told to stop, a pipe tells the
pool's process, which stops the trainer and puts its run back; a worker that is killed takes both along.
"""

import logging
from typing import Any

from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutting_down
from celery.utils.log import current_process_index
from sqlalchemy import select

from app.db import engine, work_unit
from app.doorbell import QUEUES, celery, ring_again
from app.logs import about_run
from app.models import Run
from app.settings import get_settings
from worker import devices, lease, presence
from worker.away import hold_no_row_for_long
from worker.quick import look_ahead
from worker.supervise import Lifeline, supervise
from worker.trackers import refuse_what_is_missing

_lifeline = Lifeline()
_log = logging.getLogger(__name__)
celery.conf.worker_concurrency = get_settings().train_slots


@celery.task(name="runs.train", bind=True)
def train(self: Any, run_id: int) -> None:
    slot = current_process_index(base=0) or 0  # the pool's process that takes another's place takes its number too
    own = devices.of_slot(slot, self.app.conf.worker_concurrency)
    first = lease.most_urgent(self.request.hostname)
    if first is None:
        _log.info("run %s is not to be had, or asks for more than this trainer's devices have", run_id)
        return
    with about_run(first):
        supervise(first, owner=self.request.hostname, lifeline=_lifeline, environment=own)
    _ring_for_waiting_runs()


@celery.task(name="runs.preflight")
def preflight(preflight_id: int) -> None:
    look_ahead(preflight_id, _lifeline)


@worker_init.connect
def _prepare(sender: Any, **_: Any) -> None:
    """As many slots as there really are, should somebody have started the worker with another number."""
    refuse_what_is_missing()
    sender.app.conf.worker_concurrency = sender.concurrency
    hold_no_row_for_long()


@worker_ready.connect
def _open_for_runs(sender: Any, **_: Any) -> None:
    """Say what this trainer can do, and look for runs whose messages were lost while nobody was here."""
    if QUEUES["runs.train"] not in sender.app.amqp.queues.consume_from:
        return
    presence.start(sender.hostname)
    _ring_for_waiting_runs()


def _ring_for_waiting_runs() -> None:
    """Also after a training: its checkpoint may be the base model that another run waits for."""
    with work_unit() as session:
        ring_again(
            session,
            "runs.train",
            session.scalars(select(Run.id).where(Run.state == "queued").order_by(Run.priority, Run.id)),
        )


@worker_process_init.connect
def _in_the_pool(**_: Any) -> None:
    """A forked process must not speak over the main process' connections, nor keep its lifeline open."""
    engine().dispose(close=False)
    _lifeline.let_go()


@worker_shutting_down.connect
def _close(**_: Any) -> None:
    _lifeline.let_go()
