import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from celery import Celery
from redis import Redis

from app.embedded import redis
from app.embedded.leftovers import working_in


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "home"


def socket_of(url: str) -> Path:
    return Path(url.removeprefix("redis+socket://").split("?")[0])


def test_it_answers_on_a_closed_socket_and_on_no_port(folder: Path):
    with redis(folder) as url:
        path = socket_of(url)
        with Redis(unix_socket_path=str(path)) as client:
            assert client.ping()
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        (server,) = working_in((folder / "servers").resolve(), "redis")
        assert [each for each in server.net_connections("inet") if each.status == psutil.CONN_LISTEN] == []
    assert not server.is_running()


def test_celery_sends_through_it(folder: Path):
    with redis(folder) as url, Celery(broker=url) as app:
        app.send_task("a.job", args=[7], queue="train")
        with Redis(unix_socket_path=str(socket_of(url))) as client:
            assert client.llen("train") == 1


def test_a_second_start_ends_the_server_of_the_first(folder: Path):
    with redis(folder):
        (first,) = working_in((folder / "servers").resolve(), "redis")
        with redis(folder) as url, Redis(unix_socket_path=str(socket_of(url))) as client:
            assert client.ping()
            assert not first.is_running()


def test_a_machine_without_redis_passes_messages_through_files(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.embedded.programs._package_folder", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with redis(folder) as url:
        assert url == f"filesystem://{folder}/messages"
        assert stat.S_IMODE((folder / "messages").stat().st_mode) & 0o007 in {0o000, 0o005}
