"""Several runs at once that differ in a few values of one or two settings, each named after its own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from sqlalchemy.orm import Session

from app.access import Person
from app.errors import BadInput
from app.language import gettext as _
from app.models import Dataset, Run
from app.runs.base_model import STARTER
from app.runs.form import value_of, words
from app.runs.methods import Method
from app.runs.service import LONGEST_NAME, method_named, order_run

MOST_RUNS = 16
MOST_SETTINGS = 2
FIELD = "vary"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")

Vary = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the runs: what the settings that vary are in it, and what its checkpoint will be called."""

    settings: dict[str, Any]
    name: str


def variants(method: Method, stem: str, vary: Vary) -> list[Variant]:
    """The runs of a sweep, in the order of the values. Raises BadInput where there are too many, or none."""
    if not 1 <= len(vary) <= MOST_SETTINGS:
        raise BadInput(_("A sweep is over the values of one setting or of two."), field=FIELD)
    n_runs = prod(len(values) for values in vary.values())
    if not 1 <= n_runs <= MOST_RUNS:
        raise BadInput(
            _("These values make %(n)d runs; a sweep has 1 to %(most)d.", n=n_runs, most=MOST_RUNS), field=FIELD
        )
    known = {setting.name: setting for setting in method.settings}
    method.read_settings({name: values[0] for name, values in vary.items()})  # names those that are unknown
    read = {name: [known[name].read(value) for value in values] for name, values in vary.items()}
    if any(len(set(values)) < len(values) for values in read.values()):
        raise BadInput(_("A value of a sweep is there twice; the two runs would be the same."), field=FIELD)
    return [
        Variant(settings, named(stem, settings))
        for settings in (dict(zip(read, chosen, strict=True)) for chosen in product(*read.values()))
    ]


def named(stem: str, settings: Mapping[str, Any]) -> str:
    """`pairs-dpo.beta-0.1`: the name of the whole with the values of this one."""
    own = "".join(f".{name}-{_NOT_IN_NAMES.sub('-', words(value).lower())}" for name, value in settings.items())
    own = own[: LONGEST_NAME - 1]
    return stem[: LONGEST_NAME - len(own)] + own


def order_sweep(
    session: Session,
    person: Person,
    *,
    method: str,
    dataset: Dataset,
    vary: Vary,
    base_model: str = STARTER,
    settings: Mapping[str, Any] | None = None,
    name: str | None = None,
    priority: int = 0,
) -> list[Run]:
    """Queue a run for each combination, all of them or none. Raises what `order_run` raises."""
    planned = variants(method_named(session, method), name or f"{dataset.name}-{method}", vary)
    return [
        order_run(
            session,
            person,
            method=method,
            dataset=dataset,
            base_model=base_model,
            settings={**(settings or {}), **variant.settings},
            name=variant.name,
            priority=priority,
        )
        for variant in planned
    ]


def read_vary(given: Mapping[str, str], method: Method) -> dict[str, list[Any]]:
    """Values as people type them, separated by commas or spaces: `0.05, 0.1 0.3`."""
    texts = {setting.name for setting in method.settings if setting.type == "str"}
    return {
        name: [text if name in texts else value_of(text) for text in _values(values)]
        for name, values in given.items()
        if name
    }


def _values(typed: str) -> Iterator[str]:
    return (text for text in re.split(r"[,;\s]+", typed) if text)
