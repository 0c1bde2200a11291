"""The Celery app's configuration, and the doorbell: after a commit, tell a worker to look at a row.

The row is the truth. A message carries one id, leaves only after the transaction that caused it was committed, and may
be lost or delivered twice without harm: workers claim rows by conditional updates, and the sweep in `jobs.py` rings
again for rows that nobody took. So messages are acknowledged early, never retried and carry no result, and a broker
that is down costs a warning, not the request.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from app.settings import get_settings

QUEUES = {
    "runs.train": "train",
    "trainers.announce": "quick",
    "app.sweep": "app",
}
SWEEP_EVERY_S = 10.0
_PENDING = "doorbells"
_log = logging.getLogger(__name__)


def _transport_options(broker_url: str) -> dict[str, Any]:
    """Long enough that no broker hands a message out twice while hours of training run, where one would.

    A broker without a server (`filesystem:///folder`) keeps its messages in that folder.
    """
    parts = urlsplit(broker_url)
    if parts.scheme == "filesystem":
        return {"data_folder_in": parts.path, "data_folder_out": parts.path, "control_folder": parts.path + "/control"}
    return {"visibility_timeout": 86_400, "socket_connect_timeout": 2, "socket_timeout": 10}


def configured() -> Celery:
    settings = get_settings()
    app = Celery("tiebreak")
    broker = settings.redis_url
    app.conf.update(
        broker_url="filesystem://" if broker.startswith("filesystem:") else broker,
        broker_transport_options=_transport_options(broker),
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        task_publish_retry=False,
        task_ignore_result=True,
        task_acks_late=False,
        task_routes={job: {"queue": queue} for job, queue in QUEUES.items()},
        task_default_queue="app",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        beat_schedule={
            "sweep": {"task": "app.sweep", "schedule": SWEEP_EVERY_S, "options": {"expires": SWEEP_EVERY_S}}
        },
        beat_schedule_filename=str(settings.home / "celerybeat-schedule"),
        timezone="UTC",
    )
    return app


celery = configured()


def ring(session: Session, job: str, row_id: int) -> None:
    """Have `job` look at a row once this transaction is committed; forgotten when it is rolled back."""
    if job not in QUEUES:
        raise ValueError(f"no queue is named for the job {job!r}")
    session.info.setdefault(_PENDING, []).append((job, row_id))


@event.listens_for(Session, "after_commit")
def _send(session: Session) -> None:
    for job, row_id in session.info.pop(_PENDING, []):
        try:
            celery.send_task(job, args=[row_id])
        except (OperationalError, OSError) as problem:
            _log.warning("the broker is not there; the sweep will ring %s(%s) again: %s", job, row_id, problem)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    del previous
    session.info.pop(_PENDING, None)
