"""`tiebreak doctor`: what this deployment needs, looked at one thing after the other, and how to mend what is missing."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text

from app.db import engine, work_unit
from app.doorbell import celery
from app.models import Trainer
from app.settings import ROOT, get_settings
from app.storage import storage, store_file

FREE_GIB = 2.0


class Ill(Exception):  # noqa: N818 -- a finding, not an error of ours
    """What is wrong and how to mend it."""


@dataclass(frozen=True)
class Finding:
    what: str
    well: bool
    words: str


def examine() -> Iterator[Finding]:
    """Each check once, in the order in which things depend on each other."""
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("database", _database),
        ("tables", _tables),
        ("broker", _broker),
        ("storage", _storage),
        ("disk", _disk),
        ("trainer", _trainer),
    )
    for what, check in checks:
        try:
            yield Finding(what, well=True, words=check())
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the next check is still worth making
            yield Finding(what, well=False, words=str(problem).strip().splitlines()[0])


def _database() -> str:
    with work_unit() as session:
        return f"PostgreSQL {session.scalar(text('SHOW server_version'))}"


def _tables() -> str:
    newest = ScriptDirectory.from_config(Config(toml_file=ROOT / "pyproject.toml")).get_current_head()
    with engine().connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present != newest:
        raise Ill(f"the tables are at {present or 'nothing'}, this version needs {newest}: run `tiebreak migrate`")
    return f"at {newest}, the newest"


def _broker() -> str:
    with celery.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=3)
        return f"{connection.transport_cls} answers"


def _storage() -> str:
    prefix = f"doctor-{uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe"
        source.write_bytes(b"probe")
        store_file(prefix, "probe", source)
    found = b"".join(storage().read(f"{prefix}/probe"))
    storage().delete_all(prefix)
    if found != b"probe":
        raise Ill(f"{get_settings().storage} gives back other bytes than were written: check STORAGE_URL")
    return f"{get_settings().storage} can be written and read"


def _disk() -> str:
    free = shutil.disk_usage(get_settings().home).free / 2**30
    if free < FREE_GIB:
        raise Ill(f"{free:.1f} GiB are free below {get_settings().home}: make room for checkpoints")
    return f"{free:.0f} GiB free"


def _trainer() -> str:
    with work_unit() as session:
        fresh = Trainer.last_seen_at > datetime.now(UTC) - timedelta(minutes=1)
        devices = session.scalars(select(Trainer.device).where(fresh)).all()
    if not devices:
        raise Ill("no trainer was seen in the last minute: start one with `tiebreak worker train`")
    return f"{len(devices)} alive on {', '.join(sorted(set(devices)))}"
