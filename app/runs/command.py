"""`tiebreak train`: a run ordered, or asked about, from a command line, by the same verbs as from a page."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.datasets.queries import dataset_named
from app.db import work_unit
from app.errors import Away, BadInput
from app.models import Preflight
from app.pages import size, span
from app.people.queries import first_admin
from app.runs.form import read_words
from app.runs.preflight import OVER, ask
from app.runs.service import method_named, order_run
from app.runs.sweep import order_sweep, read_vary
from app.settings import get_settings

LOOK_EVERY_S, PATIENCE_S = 0.3, 60.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The words of a command line. `vary` holds `NAME=V1,V2`."""

    method: str
    dataset: str
    base: str
    name: str | None
    settings: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    priority: int = 0

    def order(self, session: Session) -> dict[str, Any]:
        return {
            "method": self.method,
            "dataset": dataset_named(session, self.dataset),
            "base_model": self.base,
            "settings": read_words(self.settings),
        }


def order_runs(wanted: Wanted) -> Iterator[str]:
    """Queues one run, or those of a sweep; a line for each."""
    with work_unit() as session:
        order = wanted.order(session) | {"name": wanted.name, "priority": wanted.priority}
        if wanted.vary:
            vary = read_vary(dict(_parted(word) for word in wanted.vary), method_named(session, wanted.method))
            runs = order_sweep(session, first_admin(session), vary=vary, **order)
        else:
            runs = [order_run(session, first_admin(session), **order)]
        told = [(run.id, run.checkpoint_name) for run in runs]
    for run_id, name in told:
        yield f"run {run_id} ({name}) is queued; watch it at {get_settings().address}/runs/{run_id}"


def _parted(word: str) -> tuple[str, str]:
    name, sign, values = word.partition("=")
    if not sign:
        raise BadInput(f"Write what varies as NAME=V1,V2, as in beta=0.1,0.3; “{word}” is not.", field="vary")
    return name.strip(), values


def check_run(wanted: Wanted) -> Iterator[str]:
    """Waits for what a trainer says. Raises BadInput with its words where the run cannot work."""
    with work_unit() as session:
        preflight_id = ask(session, first_admin(session), **wanted.order(session)).id
    patience = time.monotonic() + PATIENCE_S
    while (asked := _row(preflight_id)).state not in OVER:
        if asked.state == "queued" and time.monotonic() > patience:
            raise Away("Nobody looks at it. Start a worker that does, with `tiebreak worker quick`.")
        time.sleep(LOOK_EVERY_S)
    if asked.state != "answered":
        raise BadInput(asked.error or "", field=asked.error_field)
    yield from in_lines(asked.answer)


def _row(preflight_id: int) -> Preflight:
    with work_unit() as session:
        return session.get_one(Preflight, preflight_id)


def in_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    taken, memory, lost, groups = (answer[name] for name in ("time", "memory", "truncation", "groups"))
    yield f"{answer['started_from']} on {answer['device']}: {answer['parameters']:,} weights, {answer['learning']:,} learn"
    if taken["seconds"] is None:
        yield f"it needs {size(memory['bytes'])} of memory at least, and {size(memory['available'])} are free"
    else:
        yield f"about {span(taken['seconds'])} for {taken['steps']:,} steps, {span(taken['seconds_per_step'])} each"
        yield f"about {size(memory['bytes'])} of memory; {size(memory['available'])} are free"
    yield f"{groups['used']:,} groups to train on, {groups['looked_at']:,} of them looked at:"
    for name, lengths in answer["lengths"].items():
        yield f"    {name:<9} {lengths['median']:>6} tokens in the middle, {lengths['longest']:>6} at most"
    yield (
        f"    {lost['prompts_cut']:,} prompts and {lost['responses_cut']:,} responses are cut, "
        f"{lost['groups_dropped']:,} groups are dropped"
    )
