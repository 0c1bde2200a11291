"""Where a run is mirrored to, and how far each tracking server has got it, in words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.language import gettext as _
from app.models import Run, RunMirror
from app.pages import ago
from app.runs.usage import Facts

SILENT = timedelta(seconds=120)
"""Its process speaks every few seconds for as long as it lives."""


def mirrors_of(session: Session, run: Run) -> Sequence[RunMirror]:
    return session.scalars(select(RunMirror).where(RunMirror.run_id == run.id).order_by(RunMirror.target)).all()


def mirrors_in_words(mirrors: Sequence[RunMirror]) -> Facts:
    """The server, and how far it has the run."""
    return [(one.target, _in_words(one)) for one in mirrors]


def _in_words(one: RunMirror) -> str:
    if one.state == "told":
        return _("has all of it")
    if one.state == "given up" or datetime.now(UTC) - one.told_at > SILENT:
        command = f"python -m worker.mirror {one.run_id} {one.target}"
        told = _("has %(n)d steps, and was given up %(when)s", n=one.step, when=ago(one.told_at))
        told += f": {one.problem}. " if one.problem else ". "
        return told + _("To tell it the rest, on a trainer: `%(command)s`.", command=command)
    if one.state == "lost":
        return _(
            "does not answer, has %(n)d steps, and is tried again: %(problem)s", n=one.step, problem=one.problem or ""
        )
    return _("has %(n)d steps, and is told the next ones as they come", n=one.step)
