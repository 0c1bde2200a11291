"""The client: one server and one token, and everything that a notebook asks for."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from . import items as pushing
from . import judging, preferences
from .checkpoints import Checkpoint
from .connection import Connection
from .datasets import Dataset, Split
from .errors import NotFoundError, TiebreakError
from .items import Pushed
from .judging import Turn
from .preferences import Preference
from .projects import Project
from .reading import read
from .runs import Run

LOCAL = "http://127.0.0.1:8000"
FREEZING_TIMEOUT_S = 1800.0
_Record = TypeVar("_Record", Dataset, Run, Checkpoint)
_Version = TypeVar("_Version", Dataset, Checkpoint)


class Client:
    """Ask a Tiebreak server. `url` and `token` default to `TIEBREAK_URL` and `TIEBREAK_TOKEN`, and the former to this machine.

    `timeout_s` is how long an answer may take to begin or to go on; `retries` how often something is tried again that is safe
    to repeat. Close it, or use it in a `with`; one client may be shared by threads.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout_s: float = 60.0, retries: int = 5
    ) -> None:
        token = (token or os.environ.get("TIEBREAK_TOKEN", "")).strip()
        if not token:
            raise TiebreakError("there is no token: set TIEBREAK_TOKEN, or give one as Client(token=…)")
        address = url or os.environ.get("TIEBREAK_URL") or LOCAL
        self._connection = Connection(address, token, timeout_s=timeout_s, retries=retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._connection.url!r})"

    def close(self) -> None:
        self._connection.close()

    # Projects and what is in them

    def projects(self) -> Iterator[Project]:
        """Yours, newest first."""
        return (read(Project, told) for told in self._connection.pages("projects"))

    def project(self, slug: str) -> Project:
        return read(Project, self._connection.get(f"projects/{quote(slug, safe='')}"))

    def create_project(self, slug: str, name: str = "", *, kind: str = "pair", **settings: Any) -> Project:
        """`settings` are the project's: `guidelines`, `judgments_per_item`, … Raises ConflictError when the slug is taken."""
        order = {"slug": slug, "name": name or slug, "kind": kind, **settings}
        return read(Project, self._connection.post("projects", order))

    def push(
        self,
        project: str | Project,
        items: Iterable[Mapping[str, Any]],
        *,
        batch: int = pushing.BATCH_ITEMS,
        progress: bool = False,
    ) -> Pushed:
        """Add items to a project, a batch at a time; never more than a batch is in memory. The good go in, the bad are named."""
        return pushing.push(self._connection, _slug(project), items, batch=batch, progress=progress)

    def preferences(self, source: str | Project | Dataset, split: Split | None = None) -> Iterator[Preference]:
        """Every preference of a project as it is now, or of a frozen dataset; one side of it with `split`."""
        if isinstance(source, Dataset):
            return source.preferences(split)
        if split is not None:
            raise ValueError("a project has no split; freeze a dataset of it first")
        return preferences.of_project(self._connection, _slug(source))

    # Judging

    def claim(self, project: str | Project) -> Turn | None:
        """What to judge next, the same until it is judged; None when nothing is left for you."""
        return judging.claim(self._connection, _slug(project))

    def turns(self, project: str | Project) -> Iterator[Turn]:
        """One turn after the other until nothing is left; judge each before the next is asked for."""
        return judging.turns(self._connection, _slug(project))

    # Datasets

    def freeze(
        self,
        project: str | Project,
        name: str,
        *,
        test: float | None = None,
        seed: int | None = None,
        by: str | None = None,
        near_duplicates: bool | None = None,
        filters: Mapping[str, Any] | None = None,
        combine: str | None = None,
        balance: str | None = None,
        shapes: Sequence[str] | None = None,
    ) -> Dataset:
        """Freeze a new version, or get the newest one when nothing has changed since.

        The split is by prompt, with the share `test` and a `seed`, or `by` a field of the records such as `metadata.split`.
        What is left out is as usual on the server.
        """
        split = {"by": by, "test": test, "seed": seed, "near_duplicates": near_duplicates}
        order = {"filters": filters, "combine": combine, "balance": balance, "shapes": shapes, "split": _given(split)}
        told = self._connection.post(
            f"projects/{quote(_slug(project), safe='')}/datasets",
            {"name": name} | _given(order),
            timeout_s=FREEZING_TIMEOUT_S,
        )
        return self._read(Dataset, told)

    def datasets(self) -> Iterator[Dataset]:
        """Of the projects that you manage, newest first."""
        return (self._read(Dataset, told) for told in self._connection.pages("datasets"))

    def dataset(self, which: int | str, version: int | None = None) -> Dataset:
        """By id, or by name: the newest version, or the one you say."""
        if isinstance(which, int):
            return self._read(Dataset, self._connection.get(f"datasets/{which}"))
        words = which if version is None else f"{which} v{version}"
        return _first(self.datasets(), lambda one: one.name == which and version in {None, one.version}, words)

    # Training

    def train(
        self,
        method: str,
        dataset: Dataset | int | str,
        *,
        base_model: str = "starter",
        name: str | None = None,
        priority: int = 0,
        **settings: Any,
    ) -> Run:
        """Queue a run, whose checkpoint will be called `name`. `settings` are the method's: `max_steps`, `beta`, …

        `dataset` may also be an id, a name (its newest version) or `name@v2`.
        """
        which = dataset.id if isinstance(dataset, Dataset) else dataset
        order = {"method": method, "dataset": which, "base_model": base_model, "name": name, "priority": priority}
        return self._read(Run, self._connection.post("runs", {**_given(order), "settings": settings}))

    def runs(self) -> Iterator[Run]:
        """Newest first."""
        return (self._read(Run, told) for told in self._connection.pages("runs"))

    def run(self, run_id: int) -> Run:
        return self._read(Run, self._connection.get(f"runs/{run_id}"))

    # Checkpoints

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Newest first."""
        return (self._read(Checkpoint, told) for told in self._connection.pages("checkpoints"))

    def checkpoint(self, which: int | str, version: int | str | None = None) -> Checkpoint:
        """By id, or by name: the newest version, or the one with this number, `v3`, or an alias such as `production`."""
        if isinstance(which, int):
            return self._read(Checkpoint, self._connection.get(f"checkpoints/{which}"))
        words = which if version is None else f"{which} ({version})"
        return _first(
            self.checkpoints(),
            lambda one: one.name == which and (version in {None, one.version, f"v{one.version}", *one.aliases}),
            words,
        )

    def _read(self, kind: type[_Record], told: Mapping[str, Any]) -> _Record:
        return read(kind, told, self._connection)


def _slug(project: str | Project) -> str:
    return project.slug if isinstance(project, Project) else project


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was left out, which the server knows better."""
    return {name: value for name, value in values.items() if value is not None and value != {}}


def _first(found: Iterator[_Version], is_meant: Callable[[_Version], bool], words: str) -> _Version:
    """The newest that is meant. Raises NotFoundError that names what there is."""
    names: dict[str, None] = {}
    for one in found:
        if is_meant(one):
            return one
        names[f"{one.name} v{one.version}"] = None
    there = ", ".join(list(names)[:10]) or "nothing"
    raise NotFoundError(404, "Not found", f"there is no {words}; there is {there}")
