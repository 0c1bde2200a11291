"""What a large download costs: one file through the hub's own address, beside nginx with the same file on the same disk.

    python -m benchmarks.download [--megabytes 512] [--rounds 6]

Both servers have one process; nginx sends with `sendfile`. The sides take turns, A B B A …, so that whatever else the machine
does meets both; each round is compared with the nginx round beside it and the median of these ratios counts. The reader is
the same for both: it takes the bytes off the socket and forgets them. Memory is the most that the server's process held
while it sent, above what it held after its first download.
"""

import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app import db
from app.models import User
from app.people import service as people
from app.storage import store_file
from benchmarks.databases import database_of_its_own
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.servers import cpu_s, free_port, served, wait_until_ready
from tests.trained import make_checkpoint

LEAST_RATIO = 0.3
MOST_MIB = 32.0
SIDES = ("tiebreak", "nginx")
PIECE = os.urandom(1 << 20)
NGINX = """
{user}
worker_processes 1; daemon off; pid {home}/nginx.pid; error_log {home}/nginx.log;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path {home}/t; proxy_temp_path {home}/t; fastcgi_temp_path {home}/t;
  uwsgi_temp_path {home}/t; scgi_temp_path {home}/t;
  server {{ listen 127.0.0.1:{port}; root {root}; location = /healthz {{ return 200; }} }}
}}
"""


@dataclass(frozen=True)
class Side:
    port: int
    path: str
    token: str
    process: psutil.Process


@dataclass(frozen=True)
class Measured:
    """One download. CPU seconds of the server alone."""

    mib_per_s: float
    server_s: float


def main() -> None:
    told = command_line(__doc__)
    told.add_argument("--megabytes", type=int, default=512)
    told.add_argument("--rounds", type=int, default=6)
    asked = told.parse_args()
    if shutil.which("nginx") is None:
        give_up("nginx is not here; install Debian's package nginx-light")
    with database_of_its_own() as home, ExitStack() as stack:
        storage = home / "storage"
        name, token = prepare(home, asked.megabytes)
        path = f"/tiebreak/{name}/resolve/main/model.safetensors"
        port, process = stack.enter_context(served("app.main:app", 1, home / "web.log"))
        stored = next(storage.rglob("model.safetensors")).relative_to(storage)
        sides = {
            "tiebreak": Side(port, path, token, process),
            "nginx": stack.enter_context(nginx(home, storage, f"/{stored}")),
        }
        report(asked.megabytes, *measure(sides, asked.megabytes << 20, asked.rounds))


def prepare(home: Path, megabytes: int) -> tuple[str, str]:
    """The name of a checkpoint with a file of that size, and a token that may read it."""
    source = home / "file"
    with source.open("wb") as out:
        for _ in range(megabytes):
            out.write(PIECE)
    with db.work_unit() as session:
        user = User(email="ada@example.org", name="Ada", role="admin")
        session.add(user)
        session.flush()
        checkpoint = make_checkpoint(session)
        checkpoint.files = [store_file(f"{checkpoint.prefix}-large", "model.safetensors", source).as_json()]
        checkpoint.prefix += "-large"
        token = people.make_token(session, user, ["read"])
    source.unlink()
    shutil.rmtree(home / "storage" / checkpoint.prefix.removesuffix("-large"))
    return checkpoint.name, token


@contextmanager
def nginx(home: Path, root: Path, path: str) -> Iterator[Side]:
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # stored files are their owner's alone
    (home / "nginx.conf").write_text(NGINX.format(home=home, root=root, port=port, user=user))
    command = ["nginx", "-c", str(home / "nginx.conf"), "-p", str(home)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/healthz", server, home / "nginx.log")
            yield Side(port, path, "", psutil.Process(server.pid))
        finally:
            server.terminate()


def measure(sides: dict[str, Side], size: int, rounds: int) -> tuple[dict[str, list[Measured]], float]:
    """Every round of each side, and the MiB that our own server's memory rose by at the most."""
    for side in SIDES:
        download(sides[side], size)
    process = max(
        [sides["tiebreak"].process, *sides["tiebreak"].process.children()], key=lambda one: one.memory_info().rss
    )
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak begins anew
    before = _kib(process.pid, "VmRSS")
    found: dict[str, list[Measured]] = {side: [] for side in SIDES}
    for number in range(rounds):
        for side in SIDES if number % 2 == 0 else SIDES[::-1]:
            found[side].append(download(sides[side], size))
    return found, (_kib(process.pid, "VmHWM") - before) / 1024


def _kib(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def download(side: Side, size: int) -> Measured:
    head = f"GET {side.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {side.token}\r\n\r\n"
    room = bytearray(1 << 20)
    cpu_before, before = cpu_s(side.process), time.perf_counter()
    with socket.create_connection(("127.0.0.1", side.port)) as line:
        line.sendall(head.encode())
        n_bytes = line.recv_into(room)
        if b" 200 " not in room[:20]:
            give_up(room[:n_bytes].decode("latin-1"))
        while received := line.recv_into(room):
            n_bytes += received
    seconds = time.perf_counter() - before
    if n_bytes < size:
        give_up(f"{side.path} ended after {n_bytes} bytes")
    return Measured(n_bytes / seconds / (1 << 20), cpu_s(side.process) - cpu_before)


def report(megabytes: int, found: dict[str, Sequence[Measured]], mib: float) -> None:
    rows = []
    for side in SIDES:
        speeds = [one.mib_per_s for one in found[side]]
        cpu = statistics.median(one.server_s for one in found[side]) * 1024 / megabytes
        rows.append(
            [side, f"{statistics.median(speeds):,.0f}", f"{min(speeds):,.0f}", f"{max(speeds):,.0f}", f"{cpu:.2f}"]
        )
    print_table(["", "MiB/s", "slowest", "quickest", "server CPU s per GiB"], rows)
    pairs = zip(found["tiebreak"], found["nginx"], strict=True)
    ratio = statistics.median(ours.mib_per_s / theirs.mib_per_s for ours, theirs in pairs)
    print(f"{megabytes} MiB a download; memory above the level after loading: {mib:.1f} MiB")
    finish(
        "download",
        {
            "throughput_to_nginx": Figure(round(ratio, 3), LEAST_RATIO),
            "memory_above_loading_mib": Figure(round(mib, 1), MOST_MIB, at_least=False),
        },
    )


if __name__ == "__main__":
    main()
