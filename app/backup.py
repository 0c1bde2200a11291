"""A whole place in one folder, and back: the rows as `pg_dump` writes them, every file that they prove, and a list of both.

    <folder>/database.dump     custom format, for pg_restore
    <folder>/storage/…         the files by their names in storage
    <folder>/backup.json       when, the tables' version, the SHA-256 of the dump and of each file

The dump is made in the very snapshot in which the files are listed, so the two agree. Files never change, so they can be
copied afterwards; only the state that a running run goes on from may be replaced meanwhile, and one that is gone by then is left
out and named. The folder is for its owner alone, since it holds hashes of passwords and what people wrote.

Nothing is restored into a place where somebody has an account, and nothing at all before every file of the folder has been read
and verified.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, make_url, select, text

from app.db import engine, psycopg_url, read_session, work_unit
from app.embedded.programs import postgres_programs
from app.errors import Conflict, Mistake, NotFound
from app.inventory import proved_files
from app.models import RunKeep, User
from app.settings import get_settings
from app.storage import Corrupt, fetch, sha256_of, storage
from app.tables import newest_tables

DUMP, LIST, FILES = "database.dump", "backup.json", "storage"
Say = Callable[[str], None]


def backup(folder: Path, say: Say) -> None:
    """Raises Conflict for a folder that is not empty, Mistake for a stored file that is missing or not what it was."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty: name a folder for this backup alone")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with read_session() as session:
        snapshot = session.scalar(text("SELECT pg_export_snapshot()"))
        proved = list(proved_files(session))
        _run("pg_dump", ["--format=custom", f"--snapshot={snapshot}", f"--file={folder / DUMP}"])
    say(f"the rows: {(folder / DUMP).stat().st_size / 2**20:.1f} MiB")
    files, left_out = [], []
    for one in proved:
        try:
            fetch(one.prefix, one.file, folder / FILES / one.name)
        except (NotFound, Corrupt) as problem:
            if one.keep is None:
                raise Mistake(f"{one.owner}: {problem}") from problem
            left_out.append(one.keep)
        else:
            files.append({"path": one.name, "size": one.file.size, "sha256": one.file.sha256})
    told = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tables": newest_tables(),
        "dump_sha256": sha256_of(folder / DUMP),
        "files": files,
        "keeps_left_out": sorted(set(left_out)),
    }
    (folder / LIST).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    say(f"{len(files)} files: {sum(file.file.size for file in proved) / 2**20:.1f} MiB")


def restore(folder: Path, say: Say) -> None:
    """Raises Conflict for a place that is in use, Mistake for a folder that is not a whole backup."""
    told = _whole(folder)
    say(f"a backup of {told['made_at']}, whole: {len(told['files'])} files")
    with work_unit() as session:
        has_tables = session.scalar(text("SELECT to_regclass('user_id_seq') IS NOT NULL"))
        if has_tables and session.scalar(select(User.id).limit(1)) is not None:
            raise Conflict("somebody has an account here already: restore into an empty database and an empty storage")
    for file in told["files"]:
        storage().put(file["path"], folder / FILES / file["path"])
    with work_unit() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    engine().dispose()  # what these connections have prepared names tables that are gone
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(folder / DUMP)]
    _run("pg_restore", options)
    with work_unit() as session:
        session.execute(delete(RunKeep).where(RunKeep.id.in_(told["keeps_left_out"])))
    say("restored")


def _whole(folder: Path) -> dict[str, Any]:
    """What the list says, once all that it names was read and is right."""
    if not (folder / LIST).exists():
        raise Mistake(f"{folder} holds no whole backup: there is no {LIST}, which is written last")
    told: dict[str, Any] = json.loads((folder / LIST).read_text())
    sums = {folder / DUMP: told["dump_sha256"]}
    sums |= {folder / FILES / file["path"]: file["sha256"] for file in told["files"]}
    for path, sha256 in sums.items():
        if not path.exists() or sha256_of(path) != sha256:
            raise Mistake(f"{path} is missing or is not what was backed up: take another backup, nothing was changed")
    return told


def _run(program: str, options: list[str]) -> None:
    """One of Postgres' own programs, with the password in the environment, where no list of processes shows it."""
    url = make_url(psycopg_url(get_settings().database_url)).set(drivername="postgresql")
    password = {"PGPASSWORD": url.password} if url.password else {}
    plain = url.set(password=None).render_as_string(hide_password=False)
    command = [str(_program(program)), *options, f"--dbname={plain}"]
    told = os.environ | password
    made = subprocess.run(command, env=told, capture_output=True, text=True, check=False)  # noqa: S603 -- our own words
    if made.returncode != 0:
        raise Mistake(f"{program} ended with status {made.returncode}: {made.stderr.strip()}")


def _program(name: str) -> Path:
    """Of the server's own version: that of the embedded one if it fits, else the machine's."""
    with work_unit() as session:
        version = str(int(session.scalar(text("SHOW server_version_num")) or 0) // 10_000)
    try:
        return postgres_programs(None, version) / name
    except Mistake:
        found = shutil.which(name)
    if found is None:
        raise Mistake(f"there is no {name} here: install the client programs of PostgreSQL {version}")
    return Path(found)
