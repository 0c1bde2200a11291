"""`tiebreak up`: everything on one machine, from an empty folder to a served page, and its end.

What can be refused is refused before anything is started (a running Tiebreak, a port that is taken). Then database and
broker, migrations, the sample project, the web server; the workers come last, so that they do not slow down the first
page. Ctrl-C ends them in the opposite order, a second Ctrl-C without patience; nothing else on the machine is touched.
Killed with SIGKILL it takes its children along (`tied.py`), the next start ends what is left (`leftovers.py`), and the
rows say what is to be done again.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from app.embedded.commands import NEED_TORCH, WORKERS, argv, environment, forget_counts, has_torch
from app.embedded.leftovers import MARK, end_leftovers
from app.embedded.lock import RUNNING, STARTING, STOPPING, Lock, data_folder_lock
from app.embedded.migrations import Prepared, migrate
from app.embedded.places import open_home
from app.embedded.port import demand_free_port, wait_until_served
from app.embedded.processes import Child
from app.embedded.servers import adopt, start_servers
from app.embedded.supervisor import Supervisor, end_together, say
from app.settings import ROOT, Settings

NO_TORCH = "PyTorch is not installed here, so this machine judges and does not train: `make run` installs it."


class _Stopped(BaseException):
    """Somebody pressed Ctrl-C, closed the terminal or ended us politely."""


def up(settings: Settings, prepare: Callable[[], list[str]]) -> None:
    """Run until a signal comes.

    `prepare` is called on a database that was just migrated, so not on every start; its lines are shown once all is
    served.
    """
    os.umask(0o077)
    open_home(settings.home)
    with suppress(_Stopped), _signals_raise(), ExitStack() as stack:
        lock = stack.enter_context(data_folder_lock(settings.home))
        try:
            _start(settings, prepare, lock, stack).watch()
        except _Stopped:
            say("\nStopping. Press Ctrl-C again to hurry.")
            raise
        finally:
            lock.note(STOPPING)


def _start(settings: Settings, prepare: Callable[[], list[str]], lock: Lock, stack: ExitStack) -> Supervisor:
    lock.note(STARTING, address=settings.address)
    if left := end_leftovers(settings.home):
        say(f"Ended {left} processes that an earlier start had left behind.")
    demand_free_port(settings)
    servers, addresses = start_servers(settings, stack)
    adopt(addresses)
    _bring_up_to_date(settings, addresses, prepare)
    lock.note(RUNNING, address=settings.address, servers=addresses)
    trains = has_torch()
    web, *workers = children = _children(settings, addresses, trains=trains)
    web.before_start = lambda: forget_counts(settings)
    stack.callback(end_leftovers, settings.home)  # what the children started and did not end themselves
    stack.callback(end_together, children)
    web.start()
    wait_until_served(web, settings)
    say(f"Tiebreak: {settings.address}    (Ctrl-C stops it)")
    for child in workers:
        child.start()
    if not trains:
        say(NO_TORCH)
    return Supervisor([*servers, *children])


def _bring_up_to_date(settings: Settings, addresses: dict[str, str], prepare: Callable[[], list[str]]) -> None:
    """Migrations and samples. What is shown once is shown at once: whatever happens next, it was seen."""
    prepared = Prepared(settings.home, addresses["DATABASE_URL"])
    if prepared and not settings.database_url:
        return
    migrate()
    if lines := prepare():
        say("\n".join(["", *lines, ""]))
    prepared.remember()


def _children(settings: Settings, addresses: dict[str, str], *, trains: bool) -> list[Child]:
    """The web server and the workers; those that need PyTorch only where it is."""
    told = environment(settings, addresses) | {MARK: str(settings.home.absolute())}
    names = ["web", *(name for name in WORKERS if trains or name not in NEED_TORCH)]
    logs = settings.home.absolute() / "logs"
    return [Child(name, argv(name), logs / f"{name}.log", environment=told, folder=ROOT) for name in names]


@contextmanager
def _signals_raise() -> Iterator[None]:
    """An exception stops everything in order, wherever we are; another one cuts the waiting for one child short."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise _Stopped

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # started with nohup: to outlive its terminal
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
