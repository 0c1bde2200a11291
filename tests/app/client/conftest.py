"""A served place and clients of it, as programs elsewhere have them."""

from collections.abc import Iterator

import pytest

from app import db
from app.client import Client, connection, runs
from app.models import User
from app.people import service as people

EVERYTHING = ("judge", "import", "export", "train", "read", "admin")


def token_of(user: User, *scopes: str) -> str:
    with db.work_unit() as session:
        return people.make_token(session, user, scopes or EVERYTHING)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between tries, and between looks at a run. What a server tells to wait is waited for."""
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(runs, "POLL_S", 0.01)


@pytest.fixture
def token(ada: User) -> str:
    return token_of(ada)


@pytest.fixture
def client(server: str, token: str) -> Iterator[Client]:
    """The admin's."""
    with Client(server, token) as client:
        yield client
