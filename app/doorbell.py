"""The Celery app's configuration, and the doorbell: after a commit, tell a worker to look at a row.

The row is the truth. A message carries one id, leaves only after the transaction that caused it was committed, and may
be lost or delivered twice without harm: workers claim rows by conditional updates, and the sweep in `jobs.py` rings
again for rows that nobody took. So messages are acknowledged early, never retried and carry no result, and a broker
that is down costs a warning, not the request.
"""

import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu.exceptions import ChannelError, OperationalError
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from app import logs, tables  # noqa: F401 -- say how Celery's workers log, and what they wait for
from app.settings import Settings, get_settings

QUEUES = {
    "runs.train": "train",
    "runs.preflight": "quick",
    "app.sweep": "app",
    "webhooks.deliver": "app",
    "publications.push": "app",
}
SWEEP_EVERY_S = 10.0
_PENDING = "doorbells"
_log = logging.getLogger(__name__)


def configuration() -> dict[str, Any]:
    """Asked for when Celery first needs it, not when this file is imported: by then the environment is settled."""
    settings = get_settings()
    return {
        **_broker(settings),
        "broker_connection_max_retries": None,  # for ever: a worker outlives its broker's restart
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": 2,
        "task_publish_retry": False,
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_routes": {job: {"queue": queue} for job, queue in QUEUES.items()},
        "task_default_queue": "app",
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,  # none: that means late acknowledgement
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "beat_schedule": {
            "sweep": {"task": "app.sweep", "schedule": SWEEP_EVERY_S, "options": {"expires": SWEEP_EVERY_S}}
        },
        "beat_schedule_filename": str(settings.home / "celerybeat-schedule"),
        "timezone": "UTC",
    }


def _broker(settings: Settings) -> dict[str, Any]:
    """Redis, or any other broker that Celery knows, or one without a server: `filesystem:///folder`."""
    parts = urlsplit(settings.redis_url)
    if parts.scheme == "filesystem":
        folders = {
            "data_folder_in": parts.path,
            "data_folder_out": parts.path,
            "control_folder": parts.path + "/control",
        }
        return {"broker_url": "filesystem://", "broker_transport_options": folders}
    if not parts.scheme.startswith(("redis", "sentinel")):
        return {"broker_url": settings.redis_url}
    return {
        "broker_url": settings.redis_url,
        # Redis hands a message out again after this time, even while its first reader works; claims make that harmless.
        "broker_transport_options": {"visibility_timeout": 86_400, "socket_connect_timeout": 2, "socket_timeout": 10},
        "worker_disable_prefetch": True,  # no message waits behind hours of training while another trainer is free
    }


celery = Celery("tiebreak")
celery.add_defaults(configuration)


def ring(session: Session, job: str, row_id: int) -> None:
    """Have `job` look at a row once this transaction is committed; forgotten when it is rolled back."""
    if job not in QUEUES:
        raise ValueError(f"no queue is named for the job {job!r}")
    session.info.setdefault(_PENDING, []).append((job, row_id))


def ring_again(session: Session, job: str, row_ids: Iterable[int]) -> None:
    """Ring for rows that nobody took. While messages wait in the queue, whoever reads it is busy or away: rings would
    only pile up, and the first look at the empty queue makes up for any that was lost.
    """
    if not messages_waiting(QUEUES[job]):
        for row_id in row_ids:
            ring(session, job, row_id)


def messages_waiting(queue: str) -> int:
    """How many messages nobody has taken out of a queue yet."""
    with celery.connection_for_write() as connection, connection.channel() as channel:
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:  # there is no such queue before its first message
            return 0


@event.listens_for(Session, "after_commit")
def _send(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint's release, not yet a commit
        return
    for job, row_id in session.info.pop(_PENDING, []):
        try:
            celery.send_task(job, args=[row_id])
        except (OperationalError, OSError) as problem:
            _log.warning("the broker is not there; the sweep will ring %s(%s) again: %s", job, row_id, problem)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    """A savepoint's rollback forgets nothing: what was rung before it still counts, and one ring too many is harmless."""
    if not previous.nested:
        session.info.pop(_PENDING, None)
