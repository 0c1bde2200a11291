"""The system user that the embedded servers run as: ourselves, unless we are root.

Postgres refuses to run as root, and Redis need not. Root then uses the system user `tiebreak-db`, created on first
use with `useradd`: no home, no shell, no password, in no group but its own and used by nothing else, so that what it
owns with mode 0700 is closed to everybody else on the machine. (An existing user such as `nobody` or `postgres` would
share the database with whatever else runs under that name.) No permission of a folder that is not ours is changed:
where that user cannot go, `places.py` finds another place.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.errors import Mistake

NAME = "tiebreak-db"


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Asked of the kernel, by a process of that user: access lists and mounts count too."""
        return self._can("-x", folder)

    def can_run(self, program: Path) -> bool:
        return self._can("-x", program)

    def _can(self, test: str, path: Path) -> bool:
        command = ["/bin/sh", "-c", f'test {test} "$0"', str(path)]
        asked = subprocess.run(  # noqa: S603 -- a fixed command; the path is an argument
            command, user=self.uid, group=self.gid, extra_groups=[], cwd="/", check=False
        )
        return asked.returncode == 0


@cache
def server_account() -> Account | None:
    """None for an ordinary user, whose servers run as that user."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        _create()
        entry = pwd.getpwnam(NAME)
    return Account(entry.pw_uid, entry.pw_gid)


def _create() -> None:
    advice = (
        f"Postgres does not run as root, and the system user {NAME} could not be created for it. Start Tiebreak as an "
        "ordinary user, or give it a database with DATABASE_URL and REDIS_URL."
    )
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if useradd is None:
        raise Mistake(advice)
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/false"]
    made = subprocess.run([useradd, *options, NAME], capture_output=True, text=True, check=False)  # noqa: S603 -- fixed
    if made.returncode != 0:
        raise Mistake(f"{advice} ({made.stderr.strip()})")
