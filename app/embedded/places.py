"""Where the embedded servers keep their data and their sockets, closed to everybody else.

    <data folder>/servers/             mode 0700, owned by the account of the servers
        postgres/                      the database
        run/                           the sockets, or a link to a short folder: a socket's path has 103 bytes at most
    <data folder>/database-password    mode 0600, ours

For root the servers have an account of their own (`account.py`). Where that account cannot enter the data folder, say
below `/root`, `servers` is a link to a folder in /var/lib/tiebreak, because opening folders that are not ours is not for
us to do.
"""

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.embedded.account import Account, server_account
from app.errors import Mistake

ELSEWHERE = Path("/var/lib/tiebreak")
SOCKET_PATH_BYTES = 103  # macOS; Linux has 107
LONGEST_SOCKET_NAME = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Places:
    home: Path
    servers: Path
    sockets: Path
    account: Account | None

    def tidy(self) -> None:
        """Take away what is empty, after servers that lived for one test run."""
        run, link = self.servers / "run", self.home / "servers"
        for folder in (self.sockets, run, self.servers, link):
            with suppress(OSError):
                folder.unlink() if folder.is_symlink() and not folder.exists() else folder.rmdir()


def open_places(home: Path) -> Places:
    """Find them, or make them on first use."""
    open_home(home)
    servers = _servers(home.absolute())
    account = _owner(servers)
    if account is not None and not account.can_enter(servers):
        raise Mistake(
            f"The account of the embedded servers can no longer enter {servers}: was a folder above it closed?"
        )
    return Places(home.absolute(), servers, _sockets(servers, account), account)


def open_home(home: Path) -> None:
    """The data folder, closed to others; the servers' account may pass through it, not look into it."""
    account = server_account()
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700)
        if account is not None:
            os.chown(home, -1, account.gid)
            home.chmod(0o710)
    if home.stat().st_uid != os.geteuid():
        raise Mistake(
            f"The data folder {home} belongs to another user of this machine. Start Tiebreak as that user, or choose "
            "another folder with TIEBREAK_HOME."
        )


def _servers(home: Path) -> Path:
    servers = home / "servers"
    if servers.is_symlink() and not servers.exists():
        raise Mistake(
            f"The database of this data folder was in {servers.readlink()}, which is not there. Put it back, or delete "
            f"{servers} to begin with an empty database."
        )
    if not servers.exists():
        account = server_account()
        if account is None or account.can_enter(home):
            servers.mkdir(mode=0o700)
        else:
            servers.symlink_to(tempfile.mkdtemp(dir=elsewhere(), prefix=f"{home.parent.name}-"))
    return servers.resolve()


def elsewhere() -> Path:
    """Made on first use, for others to pass through, whatever our umask is."""
    if not ELSEWHERE.exists():
        ELSEWHERE.mkdir()
        ELSEWHERE.chmod(0o755)
    return ELSEWHERE


def _owner(servers: Path) -> Account | None:
    """The account that the servers run as: it was given the folder once; None if that is who we are anyway."""
    if os.geteuid() != 0:
        return None
    if servers.stat().st_uid == 0:  # made a moment ago
        account = server_account()
        assert account is not None
        os.chown(servers, account.uid, account.gid)
    owner = servers.stat()
    return Account(owner.st_uid, owner.st_gid)


def _sockets(servers: Path, account: Account | None) -> Path:
    run = servers / "run"
    if run.is_symlink() and not _is_private(run.readlink(), account):
        run.unlink()  # cleared away with the rest of /tmp, say
    if not run.exists():
        if len(os.fsencode(run / LONGEST_SOCKET_NAME)) <= SOCKET_PATH_BYTES:
            run.mkdir(mode=0o700)
        else:
            run.symlink_to(tempfile.mkdtemp(dir=_short_folder(), prefix="tiebreak-"))
        if account is not None:
            os.chown(run, account.uid, account.gid)
    return run.resolve()


def _short_folder() -> str:
    """Where the system keeps sockets of this user, else /tmp: `mkdtemp` takes no folder that somebody laid out for us."""
    candidate = os.environ.get("XDG_RUNTIME_DIR", "")
    with suppress(OSError):
        if os.geteuid() != 0 and candidate and len(candidate) < 40 and Path(candidate).stat().st_uid == os.geteuid():
            return candidate
    return "/tmp"  # noqa: S108 -- mkdtemp makes a private folder in it


def _is_private(folder: Path, account: Account | None) -> bool:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    owner = account.uid if account else os.geteuid()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == 0o700
