"""Files of a run that no row will ever name: left by a trainer that was killed, overtaken or out of room while it kept or published."""

from collections.abc import Iterator

from app.storage import storage
from worker.processes import is_first
from worker.report import Report


def take_away(report: Report, prefix: str) -> None:
    """What was stored and gets no row. One that was committed although its answer was lost has one, and stays."""
    if not report.proves(prefix):
        storage().delete_all(prefix)


def forget_what_was_left(report: Report, checkpoint_name: str) -> None:
    """By earlier attempts. Those of later ones are not touched: should we have been overtaken by now, they are somebody's work."""
    for prefix, fence in _folders(report.run_id, checkpoint_name) if is_first() else ():
        if fence.isdecimal() and int(fence) < report.fence:
            take_away(report, prefix)


def _folders(run_id: int, checkpoint_name: str) -> Iterator[tuple[str, str]]:
    """Of states, named fence-step, and of checkpoints, named run-number-fence; each with its fence."""
    for prefix in storage().folders(f"kept/run-{run_id}"):
        yield prefix, prefix.rpartition("/")[2].partition("-")[0]
    for prefix in storage().folders(f"checkpoints/{checkpoint_name}"):
        if prefix.rpartition("/")[2].startswith(f"run-{run_id}-"):
            yield prefix, prefix.rpartition("-")[2]
