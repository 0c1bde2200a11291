"""The stage: a real Postgres migrated once, a real Redis, an app to call, and the people of every story.

Tests that use `session` run inside a transaction that is rolled back. Tests that commit for real (races, HTTP, jobs)
use `database`, whose tables are emptied after them. Ada is the admin, Ben annotates, Cleo is the stranger.
"""

import os
import tempfile
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

import hypothesis
import pytest
from alembic import command
from alembic.config import Config
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import worker  # noqa: F401 -- says how OpenMP waits, which torch must know before it is loaded by any test
from app import db, doorbell
from app import storage as storage_module
from app.embedded import postgres, redis
from app.models import Table, User
from app.people import service as people
from app.settings import ROOT, get_settings
from tests.serving import served

# Whether an example is slow says how busy the machine is.
hypothesis.settings.register_profile("tiebreak", deadline=None)
hypothesis.settings.load_profile("tiebreak")


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A short folder name, since sockets live in it."""
    with tempfile.TemporaryDirectory(prefix="tb-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def migrated(home: Path) -> Iterator[str]:
    with postgres(home / "pg", fast=True) as url, redis(home / "redis") as broker:
        os.environ |= {
            "DATABASE_URL": url,
            "REDIS_URL": broker,
            "TIEBREAK_HOME": str(home),
            "STORAGE_URL": str(home / "storage"),
        }
        get_settings.cache_clear()
        config = Config(toml_file=ROOT / "pyproject.toml")
        command.upgrade(config, "head")
        with db.engine().begin() as connection:
            connection.execute(text(_empties()))
        yield url
        db.engine().dispose()
        db.quick_engine().dispose()


@pytest.fixture(scope="session")
def server(migrated: str) -> Iterator[str]:
    """The address of a web server process, for clients that speak HTTP and nothing else."""
    with served() as address:
        yield address


@pytest.fixture
def database(migrated: str) -> Iterator[Engine]:
    """A database to commit to; emptied afterwards. Its ids begin with 1, also when a rolled back story has used some."""
    engine = db.engine()
    with engine.begin() as connection:
        connection.execute(text("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("SELECT stage.empty()"))


# Beyond it the tables are cut off after all: rows that are deleted leave their room behind.
LARGEST_TABLE_BYTES = 500_000


def _empties() -> str:
    """Cutting off all tables makes a hundred files anew; deleting a story's few rows costs a hundredth of that.

    As a function, whose plans each connection makes once; in a schema of its own, where nobody looks for tables.
    """
    tables = [f'"{table.name}"' for table in reversed(Table.metadata.sorted_tables)]
    deletions = " ".join(f"DELETE FROM {name};" for name in tables)
    return f"""CREATE SCHEMA stage; CREATE FUNCTION stage.empty() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname = ANY(
            '{{{", ".join(tables)}}}')) > {LARGEST_TABLE_BYTES}
        THEN TRUNCATE {", ".join(tables)}; ELSE {deletions} END IF; END $$"""


@pytest.fixture
def silence(database: Engine) -> None:
    """Queues without messages, for stories that count them."""
    with doorbell.celery.connection_for_write() as connection:
        for queue in set(doorbell.QUEUES.values()):
            connection.default_channel.queue_purge(queue)


@pytest.fixture
def session(migrated: str) -> Iterator[Session]:
    """A session whose transaction is rolled back."""
    with Session(db.engine(), expire_on_commit=False) as session:
        yield session
        session.rollback()


@pytest.fixture
def files(migrated: str) -> storage_module.Storage:
    return storage_module.storage()


def somebody(name: str, role: str) -> User:
    return User(email=f"{name}@example.org", name=name.title(), role=role, password_hash=password_hash(name))


def account(name: str, role: str) -> User:
    with db.work_unit() as session:
        user = somebody(name, role)
        session.add(user)
    return user


@lru_cache
def password_hash(name: str) -> str:
    """With next to no work in it, which a hash says of itself: people come in by it in nearly every story, and real ones are slow on purpose."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(f"{name}-password")


@pytest.fixture
def ada(database: Engine) -> User:
    """The admin."""
    return account("ada", "admin")


@pytest.fixture
def ben(database: Engine) -> User:
    """An annotator."""
    return account("ben", "annotator")


@pytest.fixture
def cleo(database: Engine) -> User:
    """An annotator who belongs to no project: the stranger."""
    return account("cleo", "annotator")


def client() -> TestClient:
    from app.main import app  # noqa: PLC0415 -- the settings must be in the environment first

    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def signed_in(user: User) -> TestClient:
    browser = client()
    form = {"email": user.email or "", "password": f"{user.name.lower()}-password"}
    assert browser.post("/sign-in", data=form).status_code == 303
    return browser


def token_client(user: User, *scopes: str, projects: Collection[str] = ()) -> TestClient:
    """A program with a token of this user, bound to the projects with these slugs if there are any."""
    with db.work_unit() as session:
        secret = people.make_token(session, user, scopes, projects=projects)
    program = client()
    program.headers["Authorization"] = f"Bearer {secret}"
    return program


@pytest.fixture
def ada_browser(ada: User) -> TestClient:
    return signed_in(ada)


@pytest.fixture
def ben_browser(ben: User) -> TestClient:
    return signed_in(ben)


@pytest.fixture
def cleo_browser(cleo: User) -> TestClient:
    return signed_in(cleo)


@pytest.fixture
def nobody() -> TestClient:
    return client()


@pytest.fixture
def ada_api(ada: User) -> TestClient:
    return token_client(ada, "judge", "import", "export", "train", "read", "admin")


@pytest.fixture
def ben_api(ben: User) -> TestClient:
    return token_client(ben, "judge", "read")


@pytest.fixture
def cleo_api(cleo: User) -> TestClient:
    return token_client(cleo, "judge", "read")
