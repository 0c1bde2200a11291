"""A place written into a folder, and brought back into an empty one: equal row by row and byte by byte."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from app import db
from app.cli import main
from app.models import Dataset, RunKeep, Table, User
from app.settings import ROOT, get_settings
from app.storage import LocalDisk, Storage, store_file
from tests.judged import judged_pairs
from tests.trained import add_metrics, make_checkpoint, make_dataset, make_run

pytestmark = pytest.mark.slow


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


@pytest.fixture
def empty_database(database: Engine) -> Iterator[str]:
    """The address of another database on the same server."""
    url = plain(get_settings().database_url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored")
        connection.execute("CREATE DATABASE restored")
    yield url.replace("/tiebreak?", "/restored?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE restored WITH (FORCE)")


@pytest.fixture
def full(ada: User, tmp_path: Path) -> None:
    with db.work_unit() as session:
        judged_pairs(session, 12)
        dataset: Dataset = make_dataset(session)
        path = tmp_path / "train.jsonl"
        path.write_text('{"é": "漢 🍋"}\n' * 1000)
        dataset.files = [store_file(dataset.prefix, path.name, path).as_json()]
        run = make_run(session, dataset, state="finished")
        add_metrics(session, run)
        make_checkpoint(session, run)
        going = make_run(session, dataset)
        for step, files in ((1, [store_file("keeps/1", path.name, path).as_json()]), (2, dataset.files)):
            session.add(RunKeep(run_id=going.id, step=step, prefix=f"keeps/{step}", files=files, told={}))


def sums(url: str) -> dict[str, str]:
    """Of the rows of each table, however they lie."""
    with psycopg.connect(plain(url)) as connection:
        return {
            name: str(
                connection.execute(
                    f"SELECT count(*) || ' ' || coalesce(md5(string_agg(row::text, ' ' ORDER BY row::text)), '') "
                    f'FROM "{name}" AS row'
                ).fetchone()
            )
            for name in [*Table.metadata.tables, "alembic_version"]
        }


def files_below(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def restore(folder: Path, url: str, storage: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DATABASE_URL": url, "STORAGE_URL": str(storage), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "app.cli"]
    done = subprocess.run(
        [*command, "restore", str(folder)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        subprocess.run([*command, "verify"], cwd=ROOT, env=environment, check=True)
    return done


def test_what_comes_back_is_what_was_there(full: None, files: Storage, empty_database: str, tmp_path: Path):
    folder = tmp_path / "backup"
    done = CliRunner().invoke(main, ["backup", str(folder)])
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert CliRunner().invoke(main, ["backup", str(folder)]).exit_code == 1  # never over another one
    nowhere = CliRunner().invoke(main, ["backup", "/proc/nowhere"])
    assert nowhere.output.startswith("Error: ")
    assert "choose another folder" in nowhere.output

    back = restore(folder, empty_database, tmp_path / "storage")
    assert back.returncode == 0, back.stderr
    there, here = sums(empty_database), sums(get_settings().database_url)
    lost = {"run_keep"}  # the state that was replaced before its files were copied: its row goes as well
    assert {name for name in here if there[name] != here[name]} == lost
    assert there["run_keep"].startswith("('1 ")
    assert isinstance(files, LocalDisk)
    restored = files_below(tmp_path / "storage")
    assert len(restored) == 5
    assert restored == {name: files_below(files.root)[name] for name in restored}

    again = restore(folder, empty_database, tmp_path / "storage")
    assert (again.returncode, "somebody has an account here" in again.stderr) == (1, True)


def test_a_folder_that_was_damaged_changes_nothing(full: None, empty_database: str, tmp_path: Path):
    folder = tmp_path / "backup"
    assert CliRunner().invoke(main, ["backup", str(folder)]).exit_code == 0
    victim = next((folder / "storage").rglob("train.jsonl"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    back = restore(folder, empty_database, tmp_path / "storage")
    assert (back.returncode, "is not what was backed up" in back.stderr) == (1, True)
    assert not (tmp_path / "storage").exists()
    (folder / "backup.json").unlink()
    assert "holds no whole backup" in restore(folder, empty_database, tmp_path / "storage").stderr


def test_a_stored_file_that_has_rotted_is_not_taken_along_in_silence(full: None, files: Storage, tmp_path: Path):
    rot = tmp_path / "rot"
    rot.write_bytes(b"other")
    files.put("checkpoints/pairs-dpo/v1/config.json", rot)
    done = CliRunner().invoke(main, ["backup", str(tmp_path / "backup")])
    assert (done.exit_code, "checkpoint pairs-dpo v1" in done.output) == (1, True)
    assert not (tmp_path / "backup" / "backup.json").exists()
