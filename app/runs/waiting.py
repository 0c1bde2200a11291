"""What a run waits for, in words: its base model, a trainer, one that has what it asks for, its turn, or a trainer that fell silent."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import BadInput
from app.language import gettext as _
from app.language import ngettext
from app.models import Run, Trainer
from app.pages import ago, span
from app.run_states import LIVE, base_to_come
from app.runs.methods import Method, read_methods
from app.runs.queries import LIVE_FOR, runs_ahead

SOON = timedelta(minutes=2)
"""Until which a free trainer has taken a run that was just ordered, if all that it takes is there."""


@dataclass(frozen=True, slots=True)
class Known:
    """A trainer, and what of the run's order it lacks."""

    trainer: Trainer
    is_live: bool
    lacks: tuple[str, ...]


def why_it_waits(session: Session, run: Run) -> str | None:
    """None for a run that waits for nobody. One that somebody holds waits where its trainer has fallen silent."""
    if run.state in LIVE and run.lease_until is not None and run.lease_until < _now(session):
        return _(
            "Its trainer, %(name)s, has fallen silent: its lease ran out %(when)s. The next sweep gives the run back, with its last state; "
            "where that does not happen within seconds, start `tiebreak worker app`, which sweeps.",
            name=run.owner or "?",
            when=ago(run.lease_until),
        )
    if run.state != "queued":
        return None
    if (earlier := session.scalar(select(base_to_come()).where(Run.id == run.id))) is not None:
        return _("Waits until run %(id)d has made its base model “%(name)s”.", id=earlier, name=run.base_model)
    known = [
        Known(trainer, is_live, tuple(lacking(run, read_methods(trainer.methods))))
        for trainer, is_live in session.execute(
            select(Trainer, Trainer.last_seen_at > func.now() - LIVE_FOR).order_by(Trainer.last_seen_at.desc())
        )
    ]
    if not any(one.is_live and not one.lacks for one in known):
        return _no_trainer(known)
    return _its_turn(session, run)


def _its_turn(session: Session, run: Run) -> str:
    """Of a run that a trainer could take."""
    if ahead := runs_ahead(session, run):
        return ngettext("Waits behind %(num)d other run.", "Waits behind %(num)d other runs.", ahead)
    ended_at = session.scalar(select(func.max(Run.finished_at)))  # until then a trainer may have been busy
    if run.started_at is None and (since := _now(session) - max(run.created_at, ended_at or run.created_at)) > SOON:
        return _(
            "A trainer is free, and yet nobody has taken it for %(time)s. See that the broker answers and that `tiebreak worker app` runs, "
            "which rings again: `tiebreak doctor` says what is missing.",
            time=span(since.total_seconds()),
        )
    return _("A trainer is about to take it.")


def _now(session: Session) -> datetime:
    """The database's own, as leases are."""
    return session.scalars(select(func.now())).one()


def lacking(run: Run, methods: list[Method]) -> list[str]:
    """What a trainer of these methods cannot do of a run: its method, or settings beyond its devices."""
    method = next((each for each in methods if each.name == run.method), None)
    if method is None:
        return [run.method]
    beyond = []
    for setting in method.settings:
        if setting.is_narrowed and setting.name in run.settings:
            try:
                setting.read(run.settings[setting.name])
            except BadInput:
                beyond.append(f"{setting.name}={run.settings[setting.name]}")
    return beyond


def _no_trainer(known: list[Known]) -> str:
    """No live one can take it: whether there is one at all, and whether one is gone that could. Those seen last come first."""
    words = _("No trainer is running. Start one with `tiebreak worker train`; it takes this run by itself.")
    for live in (one for one in known if one.is_live):
        words = _(
            "No trainer that is running can do %(what)s. Start one that can, with `tiebreak worker train`, or cancel this run.",
            what=", ".join(live.lacks),
        )
    for able in [one for one in known if not one.lacks][:1]:
        words += " " + _(
            "%(name)s could take it, and was last seen %(when)s.",
            name=able.trainer.name,
            when=ago(able.trainer.last_seen_at),
        )
    return words
