"""`tiebreak doctor`: what this deployment needs, looked at one thing after the other, and how to mend what is missing."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select

from app.db import work_unit
from app.doorbell import celery
from app.health import Ill, database, tables
from app.models import Trainer
from app.runs.queries import live_trainers
from app.settings import get_settings
from app.storage import in_words, storage, store_file

FREE_GIB = 2.0
CLOCKS_APART_S = 2.0
PING_S = 2.0


@dataclass(frozen=True)
class Finding:
    """`words` say what is there, or what is wrong and how to mend it."""

    what: str
    well: bool
    words: str


def examine() -> Iterator[Finding]:
    """Each check once, in the order in which things depend on each other."""
    for what, check, advice in CHECKS:
        try:
            yield Finding(what, well=True, words=check())
        except Ill as problem:
            yield Finding(what, well=False, words=str(problem))
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the next check is still worth making
            said = in_words(problem)
            yield Finding(what, well=False, words=said if said.endswith(".)") else f"{said}: {advice}")


def _clock() -> str:
    with work_unit() as session:
        theirs = session.scalars(select(func.clock_timestamp())).one()
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart > CLOCKS_APART_S:
        raise Ill(f"this machine's clock is {apart:.0f} s from the database's: have both keep time by NTP")
    return f"{apart * 1000:.0f} ms from the database's"


def _broker() -> str:
    with celery.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=3)
        return f"{connection.transport_cls} answers"


def _workers() -> str:
    """Those of the queue `app` take back what others dropped; without one, nothing is mended by itself."""
    answers = celery.control.ping(timeout=PING_S) or []
    names = sorted(name for answer in answers for name in answer)
    if not any(name.startswith("app@") for name in names):
        raise Ill("no worker of the queue `app` answers, so nothing is swept: start one with `tiebreak worker app`")
    return ", ".join(names)


def _storage() -> str:
    storage().reach()
    prefix = f"doctor-{uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe"
        source.write_bytes(b"probe")
        store_file(prefix, "probe", source)
    found = b"".join(storage().read(f"{prefix}/probe"))
    storage().delete_all(prefix)
    if found != b"probe":
        raise Ill(f"{get_settings().storage} gives back other bytes than were written: check STORAGE_URL")
    return f"{get_settings().storage} can be written, read and deleted from"


def _disk() -> str:
    """Where this machine keeps logs and the work of its runs, temporary files, and stored files if they are on it."""
    local = [] if get_settings().storage.startswith("s3://") else [Path(get_settings().storage)]
    places = [get_settings().home, Path(tempfile.gettempdir()), *local]
    free = {str(place): shutil.disk_usage(_standing(place)).free / 2**30 for place in places}
    for place, gib in free.items():
        if gib < FREE_GIB:
            raise Ill(f"{gib:.1f} GiB are free below {place}: make room there, a checkpoint needs more than that")
    return ", ".join(f"{gib:.0f} GiB free below {place}" for place, gib in free.items())


def _standing(place: Path) -> Path:
    """The folder, or the nearest above it that is there already."""
    return next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())


def _trainers() -> list[Trainer]:
    with work_unit() as session:
        return list(live_trainers(session))


def _trainer() -> str:
    found = _trainers()
    if not found:
        raise Ill("no trainer was seen in the last minute: start one with `tiebreak worker train`")
    return ", ".join(f"{one.name} on {one.device}" for one in found)


def _gpu() -> str:
    """No GPU is no illness; one that its trainer does not see is."""
    here, local = _cards(), f"@{socket.gethostname()}"
    blind = [one.name for one in _trainers() if one.name.endswith(local) and one.device.lower().startswith("cpu")]
    if here and blind:
        raise Ill(
            f"{', '.join(here)} is in this machine, and {', '.join(blind)} trains on the CPU: set it up again without "
            "TORCH=cpu, and see that `nvidia-smi` and the driver fit"
        )
    if here:
        return ", ".join(here)
    return "none in this machine: its own trainer would compute on the CPU, slowly"


def _cards() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=name", "--format=csv,noheader"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603 -- fixed words
    return told.stdout.split("\n")[:-1] if told.returncode == 0 else []


CHECKS: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("database", database, "see that PostgreSQL runs and that DATABASE_URL leads to it"),
    ("tables", tables, "run `tiebreak migrate`"),
    ("clock", _clock, "the database must answer first"),
    ("broker", _broker, "see that it runs and that REDIS_URL leads to it"),
    ("workers", _workers, "the broker must answer first"),
    ("storage", _storage, "see STORAGE_URL and, for S3, S3_ENDPOINT and the AWS_ variables"),
    ("disk", _disk, "see TIEBREAK_HOME"),
    ("trainer", _trainer, "the database must answer first"),
    ("gpu", _gpu, "see that `nvidia-smi` works here"),
)
