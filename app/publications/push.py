"""The process that sends one publication: `python -m app.publications.push ID FENCE`, started by the job in `jobs.py`.

A process of its own, because an upload takes hours and the worker's one slot is for short things; because its libraries are
large; and because what opens the other place is then in one process that ends, which reads it from the row itself: not in a
command line, an environment or a message. What its libraries log of addresses, which may be signed, is left out too.

It ends by itself in every case but being killed: then its lease runs out, and another one goes on with what is there already.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import logs
from app.db import work_unit
from app.errors import Mistake
from app.models import Dataset, Publication
from app.publications import leases
from app.publications.content import Subject, content, subject_of
from app.publications.outcome import Arrived, Failure, Passing, scrubbed
from app.publications.places import S3Secret, Secret, check_server, hidden, secret_of
from app.publications.progress import Progress, Stopped
from app.sealing import Unreadable, unseal
from app.settings import ROOT
from app.storage import Corrupt, storage
from app.tied import tied

_OTHER_KEY = "The secret that was given was sealed with another key than this worker’s: give the web server and the worker `app` the same SECRET_KEY."
_BROKEN = "Something is broken on our side; the worker’s log says what. What is there already is not sent again."
_log = logging.getLogger(__name__)


def start(publication_id: int, fence: int) -> "subprocess.Popen[bytes]":
    """Tied to the life of this process, which does not wait for it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING_FACE_"))}
    ours = dict.fromkeys(("PROGRESS_BARS", "TELEMETRY", "IMPLICIT_TOKEN", "XET"), "1")
    command = [sys.executable, "-m", "app.publications.push", str(publication_id), str(fence)]
    return subprocess.Popen(  # noqa: S603 -- the command comes from our own code
        [*tied(signal.SIGTERM), *command],
        stdin=subprocess.DEVNULL,
        env=kept | {f"HF_HUB_DISABLE_{name}": one for name, one in ours.items()},
        cwd=ROOT,
    )


def push(publication_id: int, fence: int) -> None:
    """One attempt, from the row to its end or its next one."""
    with work_unit() as session:
        mine = (Publication.id == publication_id, Publication.fence == fence, Publication.state.in_(leases.LIVE))
        row = session.scalars(select(Publication).where(*mine)).one_or_none()
        if row is None:
            return
        subject = subject_of(session, row)
        former = formerly(session, row)
    try:
        secret = secret_of(row.kind, unseal(row.secret or b""))
    except Unreadable:
        leases.end(row.id, fence, "failed", error=_OTHER_KEY)
        return
    progress = Progress(row.id, fence)
    signal.signal(signal.SIGTERM, lambda *_: progress.ask_to_stop("leaving"))
    try:
        with progress:
            arrived = _send(row, subject, secret, former, progress)
    except Stopped:
        leases.give_back(row.id, fence)  # to nobody, where this attempt has lost the row
    except Passing as problem:
        leases.put_off(row.id, fence, scrubbed(str(problem), hidden(secret)))
    except (Failure, Corrupt, Mistake) as problem:
        leases.end(row.id, fence, "failed", error=scrubbed(str(problem), hidden(secret)))
    except Exception as problem:  # noqa: BLE001 -- whoever waits is told, and the secret goes
        words = scrubbed(repr(problem), hidden(secret))
        _log.error("publication %s: %s in %s", row.id, words, _where(problem))
        leases.end(row.id, fence, "failed", error=_BROKEN)
    else:
        leases.end(row.id, fence, "finished", address=arrived.address, commit=arrived.commit, error=None)


def _send(row: Publication, subject: Subject, secret: Secret, former: Sequence[str], progress: Progress) -> Arrived:
    check_server(row.kind, row.endpoint)  # the settings may have changed since it was ordered
    if isinstance(secret, S3Secret):
        from app.publications.bucket import ToBucket  # noqa: PLC0415 -- each loads what it needs

        place = ToBucket(row.endpoint, row.place, secret, region=row.options["region"])
        return place.send(content(subject), storage(), progress)
    from app.publications.hub import ToHub  # noqa: PLC0415 -- as above

    kind, tag = "dataset" if isinstance(subject, Dataset) else "model", row.options["tag"]
    repository = ToHub(row.endpoint, row.place, kind, secret, private=row.options["private"], tag=tag, former=former)
    message = f"{subject.name} v{subject.version}, published with Tiebreak"
    return repository.send(content(subject, (row.place, tag)), storage(), progress, message)


def formerly(session: Session, publication: Publication) -> Sequence[str]:
    """What this place has put there before, by path."""
    same = (Publication.kind == publication.kind, Publication.endpoint == publication.endpoint)
    earlier = select(Publication.paths).where(
        *same, Publication.place == publication.place, Publication.state == "finished"
    )
    return sorted({path for paths in session.scalars(earlier) for path in paths})


def _where(problem: BaseException) -> str:
    """The lines it came through, without what stood in them."""
    return " < ".join(
        f"{Path(one.filename).name}:{one.lineno}" for one in reversed(traceback.extract_tb(problem.__traceback__))
    )


def main(publication_id: str, fence: str) -> None:
    logs.configure()
    for name in ("httpx2", "httpx", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="tiebreak-publication-") as scratch:
        os.environ["HF_HOME"] = scratch  # nobody else's tokens or caches
        push(int(publication_id), int(fence))


if __name__ == "__main__":
    main(*sys.argv[1:])
