"""A receiver on loopback, and a place that may tell it things."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.settings import get_settings
from app.webhooks import delivering, targets
from tests.receiver import Receiver, listening


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def loopback_allowed(migrated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`WEBHOOK_TARGETS` names this machine's own network. On a machine that is busy with other work nothing is too slow."""
    monkeypatch.setattr(delivering, "WITHIN_S", 120.0)
    monkeypatch.setattr(targets, "RESOLVE_S", 120.0)
    monkeypatch.setenv("WEBHOOK_TARGETS", "127.0.0.0/8")
    monkeypatch.setenv("PUBLIC_URL", "https://tiebreak.example.org")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


Names = Callable[[str, list[str]], list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Give a name addresses, one for each time it is asked for, the last of them for ever; returns the list of asks."""
    known: dict[str, list[str]] = {}
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in known:
            asked.append(name)
            host = known[name].pop(0) if len(known[name]) > 1 else known[name][0]
        return real(host, *args, **kwargs)

    def give(name: str, addresses: list[str]) -> list[str]:
        known[name] = addresses
        return asked

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return give
