"""A machine of a deployment: processes started with the commands of `tiebreak web` and `tiebreak worker`, in a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from app.settings import ROOT
from benchmarks.servers import free_port
from tests.end_to_end.servers import end


@dataclass
class Machine:
    """`shared` are the settings that lead to what all machines share; nothing of this one's folder is in them."""

    name: str
    home: Path
    shared: dict[str, str]
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        here = {"TIEBREAK_HOME": str(self.home), "PORT": str(self.port), "WEB_PROCESSES": "1", "PYTHONPATH": str(ROOT)}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.shared, **here}

    def tiebreak(self, *words: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "app.cli", *words]
        told = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout.strip()

    def start(self, name: str) -> None:
        """`web`, `app` or `train`: the command itself. Workers take this machine's name, as they would its host's."""
        self.home.mkdir(exist_ok=True)
        script = (
            "import sys; from app.embedded import commands; from app.settings import get_settings\n"
            f"commands.COMMANDS[{name!r}] = commands.COMMANDS[{name!r}].replace('%h', {self.name!r})\n"
            f"commands.run({name!r}, get_settings())"
        )
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", script],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """At once and altogether, as when the power goes."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                end(process)

    def api(self, token: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def is_ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=10).status_code == 200
        return False

    def last_words(self) -> str:
        return "\n".join(f"--- {path}\n{path.read_text()[-1500:]}" for path in sorted(self.home.glob("*.log")))


def until(is_so: Callable[[], bool], machines: list[Machine], patience_s: float = 400) -> None:
    """A machine that is too busy to answer is asked again."""
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(httpx.TransportError):
            if is_so():
                return
        logs = "\n".join(machine.last_words() for machine in machines)
        assert time.monotonic() < deadline, f"it never came to that:\n{logs}"
        time.sleep(0.3)
