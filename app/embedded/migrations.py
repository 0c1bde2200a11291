"""Brings the database to the form of the models: Alembic from pyproject.toml, in this process."""

import hashlib
from pathlib import Path

from app.errors import Mistake
from app.settings import ROOT

MIGRATIONS = ROOT / "migrations" / "versions"


def migrate() -> None:
    from alembic import command  # noqa: PLC0415 -- takes its time to load, and a start seldom needs it
    from alembic.config import Config  # noqa: PLC0415 -- as above
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415 -- as above

    try:
        command.upgrade(Config(toml_file=ROOT / "pyproject.toml"), "head")
    except OperationalError as problem:
        raise Mistake(f"The database does not answer: {problem.orig}") from problem


class Prepared:
    """Remembers in the data folder that its own database has had these migrations, so that a start need not look.

    A database that is made anew has a new password, and so the memory of an old one does not count for it.
    """

    def __init__(self, home: Path, database_url: str) -> None:
        self._memory = home / "prepared"
        whole = hashlib.sha256(database_url.encode())
        for path in sorted(MIGRATIONS.glob("*.py")):
            whole.update(path.read_bytes())
        self._now = whole.hexdigest()

    def __bool__(self) -> bool:
        return self._memory.exists() and self._memory.read_text() == self._now

    def remember(self) -> None:
        self._memory.write_text(self._now)
