"""The commands of whoever keeps a place going: `tiebreak doctor`, `verify`, `backup` and `restore`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from app import embedded
from app.settings import get_settings

Folder = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def doctor(*, as_json: bool) -> None:
    """Check what this deployment needs, and say how to mend what is missing. Exit status 1 when something is."""
    from app.doctor import examine

    embedded.join(get_settings())
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            print(f"{'well ' if finding.well else 'ILL  '} {finding.what:<10} {finding.words}", flush=True)
    if as_json:
        print(json.dumps({"well": all(one.well for one in findings), "findings": [asdict(one) for one in findings]}))
    if not all(finding.well for finding in findings):
        sys.exit(1)


@click.command()
@click.option("--tidy", is_flag=True, help="Delete the files that no row names: those of saves that were killed.")
def verify(*, tidy: bool) -> None:
    """Read every stored file and compare it with the SHA-256 of its row. Exit status 1 when one is not what it was."""
    from app.db import read_session, work_unit
    from app.inventory import proved_files, what_is_wrong
    from app.litter import litter
    from app.storage import storage

    with embedded.connected(get_settings()):
        with read_session() as session:
            proved = list(proved_files(session))
        wrong = 0
        for one in proved:
            if (words := what_is_wrong(one)) is not None:
                wrong += 1
                print(f"{one.name} {words} ({one.owner}): put it back from a backup", file=sys.stderr)
        with work_unit() as session:
            left = list(litter(session))
            for folder in left if tidy else ():
                storage().delete_all(folder)
    size = sum(one.file.size for one in proved)
    print(f"{len(proved)} files, {size / 2**20:.1f} MiB: {wrong or 'none'} of them wrong")
    for folder in left:
        print(f"{folder} is named by no row{': deleted' if tidy else ', see --tidy'}")
    if wrong:
        sys.exit(1)


@click.command()
@click.argument("folder", type=Folder)
def backup(folder: Path) -> None:
    """Write everything of this place into FOLDER: the rows, and every file that they name."""
    from app.backup import backup

    with embedded.connected(get_settings()):
        try:
            backup(folder, print)
        except OSError as problem:  # a folder that we may not write to, a disk that is full
            raise click.ClickException(f"{problem}: choose another folder, or make room there") from problem


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def restore(folder: Path) -> None:
    """Make this place what it was when FOLDER was written. Nobody may have an account here yet."""
    from app.backup import restore

    with embedded.connected(get_settings()):
        restore(folder, print)
        embedded.migrate()


ALL = (doctor, verify, backup, restore)
