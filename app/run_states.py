"""The states of a run and the ways from one to the next: the only place that changes them.

    queued ──► claimed ──► running ──► finished        claimed   a trainer's supervisor has it and starts its process
     ▲  │         │           │                        running   that process has begun
     │  │         ├───────────┼──────► failed          cancelling  a person wants its end; its trainer still works
     │  │         ▼           ▼           ▲
     │  │        cancelling ◄─┘           │
     │  ▼             │  └────────────────┤ or finished, where its checkpoint was published before the wish was heard
     │ cancelled ◄────┘
     │
     ├── claimed, running    its trainer is gone: another goes on from the last state that was kept
     ├── cancelled, failed   a person resumes it
     └── finished            a person extends it

`move` makes the statement, what belongs to a state comes with it, and a move that is not drawn here is a fault that raises
before anything is sent. Two statements may race for one run: each names the states it starts from, so one of them finds no
row. A trigger in the database refuses the same moves to everybody (`migrations/`, checked against `MOVES` by a test).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, Update, any_, case, func, null, or_, select, update
from sqlalchemy.orm import aliased

from app.models import Checkpoint, Dataset, Run

LIVE: Final = ("claimed", "running", "cancelling")
"""Somebody's process works on it, or did when it was last heard of."""
UNDER_WAY: Final = ("queued", *LIVE)
OVER: Final = ("finished", "failed", "cancelled")
STARTER: Final = "starter"
"""The checkpoint that everybody may start from."""

MOVES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "queued": frozenset({"claimed", "cancelled"}),
        "claimed": frozenset({"running", "cancelling", "queued", "failed"}),
        "running": frozenset({"finished", "cancelling", "queued", "failed"}),
        "cancelling": frozenset({"cancelled", "failed", "finished"}),
        "cancelled": frozenset({"queued"}),
        "failed": frozenset({"queued"}),
        "finished": frozenset({"queued"}),
    }
)

_ENDED: Final = {"finished_at": func.now(), "lease_until": null(), "seconds_left": null()}
_BELONGS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "queued": {
            "lease_until": null(),
            "seconds_left": null(),
            "finished_at": null(),
            "cancel_requested_at": null(),
            "error": null(),
            "stage": "",
        },
        "claimed": {"stage": "starting"},
        "running": {},
        "cancelling": {"cancel_requested_at": func.now()},
        "cancelled": _ENDED | {"cancel_requested_at": func.coalesce(Run.cancel_requested_at, func.now())},
        "failed": _ENDED,
        "finished": _ENDED | {"stage": ""},
    }
)
"""What is written with a state: when it ended, that nobody holds it any more."""


def move(ways: Mapping[str, str]) -> Update:
    """The statement for runs in one of the states named, each to the state it is mapped to; the caller says which runs.

    A state may be mapped to itself: nothing changes for runs that are there already. Raises ValueError for a way that is
    not drawn above.
    """
    for state, target in ways.items():
        if target != state and target not in MOVES[state]:
            raise ValueError(f"a run does not go from {state} to {target}")
    statement = update(Run).where(Run.state.in_(tuple(ways))).values(state=case(dict(ways), value=Run.state))
    arriving = {state: _BELONGS[target] for state, target in ways.items() if target != state}
    for name in {name: None for values in arriving.values() for name in values}:
        cases = {state: values[name] for state, values in arriving.items() if name in values}
        statement = statement.values({name: case(cases, value=Run.state, else_=getattr(Run, name))})
    return statement


def base_to_come() -> ScalarSelect[int]:
    """Within a query of runs that wait: the earlier run, not over yet, that is to publish the first checkpoint of the name that this one
    starts from; NULL for most. Until then nobody takes it.

    The newest `starter` is ordered by the first start of all, and people need not wait for it with their orders. What is
    beyond the bounds of the token that ordered the run is not there for it (`worker/base_model.py` reads it so too).
    """
    earlier, maker = aliased(Run), aliased(Run)
    is_there = (
        select(Checkpoint.id)
        .join(maker, maker.id == Checkpoint.run_id)
        .where(Checkpoint.name == Run.base_model, Checkpoint.deleted_at.is_(None), _is_within_bounds(maker))
    )
    to_come = select(func.min(earlier.id)).where(
        earlier.checkpoint_name == Run.base_model,
        earlier.id < Run.id,
        earlier.state.in_(UNDER_WAY),
        _is_within_bounds(earlier),
        ~is_there.correlate(Run).exists(),
    )
    return to_come.correlate(Run).scalar_subquery()


def _is_within_bounds(maker: type[Run]) -> ColumnElement[bool]:
    """Of a run that makes a base model; the starter is everybody's."""
    project = select(Dataset.project_id).where(Dataset.id == maker.dataset_id).correlate(maker).scalar_subquery()
    return or_(Run.project_ids.is_(None), Run.base_model == STARTER, project == any_(Run.project_ids))
