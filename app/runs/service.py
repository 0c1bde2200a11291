"""Orders of runs: checked, then queued. The run's row is the order; the worker takes it from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.access import Person
from app.datasets.order import check_name
from app.doorbell import ring
from app.errors import BadInput, Conflict, NoTrainer
from app.language import gettext as _
from app.models import Audit, Dataset, Run
from app.runs.base_model import STARTER, bounded, check_base_model, without_alias
from app.runs.methods import Method
from app.runs.queries import announced, is_of_others

LONGEST_NAME = 96
MOST_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Checked:
    """An order that can work as far as the rows say; `settings` are all of the method's.

    No alias is left in its words, and nothing beyond the bounds of whoever orders.
    """

    method: Method
    settings: dict[str, Any]
    base_model: str


def checked(
    session: Session,
    person: Person,
    *,
    method: str,
    dataset: Dataset,
    base_model: str,
    settings: Mapping[str, Any] | None,
) -> Checked:
    """The checks that every order goes through, whoever sends it. Raises BadInput or NoTrainer."""
    chosen = method_named(session, method)
    complete = _exact_settings(session, person, chosen, chosen.read_settings(settings or {}))
    check_dataset(chosen, dataset, complete)
    exact = bounded(session, person, without_alias(session, person, base_model), field="base_model")
    check_base_model(session, chosen, exact)
    return Checked(chosen, complete, exact)


def _exact_settings(session: Session, person: Person, method: Method, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that may name a checkpoint with its version instead. Raises BadInput for an alias that is not there."""
    names = {setting.name for setting in method.settings if setting.type == "str" and not setting.choices}
    exact = {name: without_alias(session, person, settings[name], name) for name in sorted(names & set(settings))}
    return settings | {name: bounded(session, person, words, field=name) for name, words in exact.items()}


def order_run(
    session: Session,
    person: Person,
    *,
    method: str,
    dataset: Dataset,
    base_model: str = STARTER,
    settings: Mapping[str, Any] | None = None,
    name: str | None = None,
    priority: int = 0,
) -> Run:
    """Check an order against what live trainers announce and queue it. Raises BadInput or NoTrainer."""
    order = checked(session, person, method=method, dataset=dataset, base_model=base_model, settings=settings)
    checkpoint_name = name or f"{dataset.name}-{method}"[:LONGEST_NAME]
    check_name(checkpoint_name)
    if is_of_others(session, person, checkpoint_name):
        raise Conflict(
            _("“%(name)s” is taken by what your token does not reach; choose another name.", name=checkpoint_name),
            field="name",
        )
    check_priority(priority)
    return queue_run(
        session,
        person,
        method=method,
        dataset=dataset,
        base_model=order.base_model,
        settings=order.settings,
        checkpoint_name=checkpoint_name,
        priority=priority,
    )


def queue_run(
    session: Session,
    person: Person,
    *,
    method: str,
    dataset: Dataset,
    base_model: str,
    settings: dict[str, Any],
    checkpoint_name: str,
    priority: int = 0,
) -> Run:
    """Queue a run as it stands, for a trainer that may not be there yet; the trainer checks it when it takes it."""
    run = Run(
        method=method,
        settings=settings,
        dataset_id=dataset.id,
        base_model=base_model,
        checkpoint_name=checkpoint_name,
        priority=priority,
        project_ids=None if person.projects is None else sorted(person.projects),
        created_by=person.id,
    )
    session.add(run)
    session.flush()  # its id goes through the doorbell
    detail = {"run": run.id, "method": method, "dataset": f"{dataset.name} v{dataset.version}", "base": base_model}
    session.add(Audit(user_id=person.id, action="run.ordered", subject=checkpoint_name, detail=detail))
    ring(session, "runs.train", run.id)
    return run


def check_priority(priority: int) -> None:
    if not -MOST_PRIORITY <= priority <= MOST_PRIORITY:
        raise BadInput(
            _(
                "A priority is a whole number from %(low)d, which is taken first, to %(high)d, which is taken last.",
                low=-MOST_PRIORITY,
                high=MOST_PRIORITY,
            ),
            field="priority",
        )


def settings_like(session: Session, run: Run, method: str | None = None) -> dict[str, Any]:
    """A run's settings as far as the method, its own unless named, still knows them: what has gone since cannot be asked for."""
    there = announced(session)
    known = there.live.get(method or run.method) or there.known.get(method or run.method)
    names = {setting.name for setting in known.settings} if known is not None else set(run.settings)
    return {name: value for name, value in run.settings.items() if name in names}


def set_priority(session: Session, person: Person, run: Run, priority: int) -> Run:
    """Let a run that waits be taken earlier or later. Raises Conflict once a trainer has it."""
    check_priority(priority)
    changed = session.execute(
        update(Run)
        .where(Run.id == run.id, Run.state == "queued")
        .values(priority=priority)
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    ).first()
    session.refresh(run)
    if changed is None:
        raise Conflict(
            _("This run waits no longer, so there is no order to change: its state is %(state)s.", state=run.state)
        )
    detail = {"run": run.id, "priority": priority}
    session.add(Audit(user_id=person.id, action="run.priority", subject=run.checkpoint_name, detail=detail))
    return run


def method_named(session: Session, name: str) -> Method:
    """A method that a live trainer announces."""
    there = announced(session)
    if name in there.live:
        return there.live[name]
    offered = there.live or there.known
    if offered and name not in there.known:
        raise BadInput(
            _("There is no method “%(name)s”; the methods are %(names)s.", name=name, names=", ".join(sorted(offered))),
            field="method",
        )
    if there.live:
        raise NoTrainer(
            _(
                "No trainer that is running now can do “%(name)s”; they can do %(names)s. Start one that can, with `tiebreak worker train`.",
                name=name,
                names=", ".join(sorted(there.live)),
            ),
            field="method",
        )
    raise NoTrainer(
        _(
            "No trainer is running. If this place has just been started, wait half a minute and order the run again; otherwise start one with `tiebreak worker train`."
        )
    )


def check_dataset(method: Method, dataset: Dataset, settings: Mapping[str, Any]) -> None:
    """Raises BadInput when there is nothing in it that this method could learn from under these settings."""
    train = dataset.counts["train"]
    n_best = sum(n for outcome, n in train["outcomes"].items() if outcome != "all_bad")
    n_ties = train["outcomes"].get("tie", 0)
    if (train["tuples"] if method.needs == "order" else n_best) > 0 or (n_ties and method.learns_from_ties(settings)):
        return
    what = (
        _("no group in which one response is better than another") if method.needs == "order" else _("no good response")
    )
    words = _(
        "“%(name)s v%(version)s” has %(what)s to train on. Judge more, then freeze a new version.",
        name=dataset.name,
        version=dataset.version,
        what=what,
    )
    if n_ties and method.ties_teach:
        words += " " + _("Its ties teach something under one of these settings: %(choices)s.", choices=method.choices())
    raise BadInput(words, field="dataset")
