"""What machines share and nothing else: Postgres and a broker over TCP, and a server that speaks S3, all on loopback."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from moto.server import ThreadedMotoServer

from app.embedded.places import open_places
from app.embedded.postgres import postgres_child, postgres_url, wait_for_postgres
from app.embedded.redis import redis_child, wait_for_redis
from benchmarks.servers import free_port

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@contextmanager
def postgres_over_tcp(folder: Path) -> Iterator[str]:
    """A Postgres that listens, and asks for the password there too."""
    places, port = open_places(folder), free_port()
    child = postgres_child(places, folder / "postgres.log", fast=True)
    with (places.servers / "postgres" / "pg_hba.conf").open("a") as rules:
        rules.write("host all tiebreak 127.0.0.1/32 scram-sha-256\n")
    child = replace(child, command=[*child.command, "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"])
    try:
        child.start()
        wait_for_postgres(child, places)
        password = postgres_url(places).partition("tiebreak:")[2].partition("@")[0]
        yield f"postgresql://tiebreak:{password}@127.0.0.1:{port}/tiebreak"
    finally:
        child.end()
        shutil.rmtree(places.servers / "postgres")
        places.tidy()


@contextmanager
def redis_over_tcp(folder: Path) -> Iterator[str]:
    places, port = open_places(folder), free_port()
    child = redis_child(places, folder / "redis.log")
    assert child is not None, "there is a Redis for this machine"
    words = list(child.command)
    words[words.index("--port") + 1] = str(port)
    child = replace(child, command=[*words, "--bind", "127.0.0.1"])
    try:
        child.start()
        wait_for_redis(child, places)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        child.end()
        places.tidy()


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """Debian's, with everything that it keeps and every port that it opens of its own."""
    port, distribution, names = free_port(), free_port(), free_port()
    folder.mkdir()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\n")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "tiebreak-test@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    with (folder / "out.log").open("wb") as log:
        server = subprocess.Popen(
            [RABBITMQ], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_it_listens(port, server, folder / "out.log")
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        end(server)
        subprocess.run(["epmd", "-port", str(names), "-kill"], env=environment, capture_output=True, check=False)


@dataclass
class PartGate:
    """Once closed, the server is silent from the second part of an upload on, as if the network had become slow in its middle."""

    is_closed: bool = False
    is_reached: Event = field(default_factory=Event)

    def before(self, app: Callable[..., Any]) -> Callable[..., Any]:
        def answer(asked: dict[str, Any], start: Any) -> Any:
            if self.is_closed and asked["REQUEST_METHOD"] == "PUT" and "partNumber=2" in asked["QUERY_STRING"]:
                self.is_reached.set()
                while self.is_closed:
                    time.sleep(0.05)
            return app(asked, start)

        return answer


@contextmanager
def bucket(name: str, gate: PartGate | None = None) -> Iterator[dict[str, str]]:
    """The settings that lead to an empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a failure is read without each request to it
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    if gate is not None:
        server._server.app = gate.before(server._server.app)
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT")).close()
    yield {
        "STORAGE_URL": f"s3://{name}/tiebreak",
        "S3_ENDPOINT": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    server.stop()


def wait_until_it_listens(port: int, server: subprocess.Popen[bytes], log: Path, patience_s: float = 300) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and server.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"it does not listen:\n{log.read_text(errors='replace')[-3000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """With everything that it started in its session."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
