"""The processes of a running Tiebreak and their commands: the one list that `up` and docker-compose.yml share.

Addresses are left to the environment (uvicorn reads UVICORN_HOST, UVICORN_PORT and UVICORN_WORKERS), so that the same
words start a process on one machine and in a container; a test compares them. Three queues, three workers, so that
hours of training never hold up a second of scoring. SIGTERM ends each of them well: short jobs are finished, a run in
training goes back to the queue.
"""

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from app.settings import ROOT, Settings

_QUIET = "--without-gossip --without-mingle --loglevel INFO"

COMMANDS = {
    "migrate": "alembic upgrade head",
    "web": "uvicorn app.main:app --no-access-log --timeout-graceful-shutdown 5 --timeout-worker-healthcheck 30",
    "app": f"celery -q -A app.jobs worker -Q app -B -c 1 -n app@%h {_QUIET}",
    "quick": f"celery -q -A worker.main worker -Q quick -c 1 -n quick@%h {_QUIET}",
    "train": f"celery -q -A worker.main worker -Q train -n train@%h {_QUIET}",
}
NODE = "worker.nodes"
"""The command of a machine that takes part in the runs of another one's trainer; not part of a place on one machine."""
WORKERS = ("app", "quick", "train")
NEED_TORCH = ("quick", "train")


def argv(name: str) -> list[str]:
    """The command as this Python's module, whatever the PATH says."""
    return [sys.executable, "-m", *shlex.split(NODE if name == "node" else COMMANDS[name])]


def environment(settings: Settings, addresses: Mapping[str, str]) -> dict[str, str]:
    """What these processes are told."""
    return os.environ | {
        **addresses,
        "TIEBREAK_HOME": str(settings.home.absolute()),
        "UVICORN_HOST": settings.host,
        "UVICORN_PORT": str(settings.port),
        "UVICORN_WORKERS": str(settings.web_processes),
        "UVICORN_LOG_CONFIG": str(ROOT / "app" / "uvicorn_logging.json"),
        "PROMETHEUS_MULTIPROC_DIR": str(_counts(settings)),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }


def _counts(settings: Settings) -> Path:
    """Where the web processes of one start share what they count."""
    return settings.home.absolute() / "metrics"


def forget_counts(settings: Settings) -> None:
    """Before a web server starts: what an earlier one counted is another process' history, and numbers come again."""
    shutil.rmtree(_counts(settings), ignore_errors=True)


def run(name: str, settings: Settings) -> None:
    """Become that process: `tiebreak web` and `tiebreak worker`, for machines with a supervisor of their own."""
    command = argv(name)
    if name == "web":
        forget_counts(settings)
    os.execve(command[0], command, environment(settings, {}))  # noqa: S606 -- no shell is wanted


def has_torch() -> bool:
    """Whether the worker's extra is installed, without importing anything of it."""
    return importlib.util.find_spec("torch") is not None
