"""A Postgres to measure on, and what more than one benchmark puts into it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from app import db
from app.embedded import migrate, postgres
from app.settings import get_settings

# Users 1 to :people, in a database that has none.
PEOPLE = """
    INSERT INTO "user" (email, name, role, judge_kind)
    SELECT 'p' || n || '@example.org', 'p' || n, 'annotator', 'human' FROM generate_series(1, :people) AS n"""


@contextmanager
def database_of_its_own(*, fast: bool = True, **variables: str) -> Iterator[Path]:
    """A folder with a migrated Postgres in `data` and stored files in `storage`, which the environment names from here on.

    A `fast` one does not wait for its disk; where commits are measured, it has to. `variables` are set besides.
    """
    with tempfile.TemporaryDirectory(prefix="tb-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with postgres(home / "data", fast=fast) as url:
            places = {"DATABASE_URL": url, "TIEBREAK_HOME": str(home / "data"), "STORAGE_URL": str(home / "storage")}
            os.environ |= places | variables
            get_settings.cache_clear()
            migrate()
            yield home


def settle() -> None:
    """Have Postgres take stock of what was written, as it does by itself after a while."""
    with db.engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
